/**
 * Converts headers of ledger versions 1 to 4 and 6, in which features had no names, to the current form.
 *
 * Version 1 is for optimisers whose steps move along their own directions and forget them, version 2 for all other directions, version 3 for update
 * rules, version 4 for tensors with gains, and version 6 for update rules that also act on gradients of zeros. The lowest sufficient version was
 * written; there was no version 5. Distribution and structure were a single word, and the position of a tensor followed from its name.
 *
 * @module
 */
import type { Placed } from "../trainable.ts";
import type { Distribution } from "../directions/law.ts";
import { structureIn, type StructureName } from "../directions/structures.ts";
import { bad, type Fields, fields, isFields } from "./fields.ts";
import type { LedgerFeature } from "./features.ts";

/** The old versions that can be read. */
export const oldVersions: readonly number[] = [1, 2, 3, 4, 6];

/** Prefixes of the words for distributions, with the structure that each stands for. */
const prefixes: readonly (readonly [string, StructureName | undefined])[] = [
  ["", undefined],
  ["sparse", "mask"],
  ["block", "blocks"],
  ["lowRank", "lowRank"],
];

/** Distribution and structure by word. */
const words: ReadonlyMap<unknown, readonly [Distribution, StructureName | undefined]> = new Map(
  prefixes.flatMap(([prefix, structure]) =>
    (["normal", "rademacher"] as const).map((dense) => {
      const word = prefix === "" ? dense : prefix + dense[0].toUpperCase() + dense.slice(1);
      return [word, [dense, structure] as const] as const;
    })
  ),
);

/** The position of a tensor, from its name in old ledgers: `blk.2.attn_q.weight` is in the attention of layer 2, counted from 0. */
export function placeOfName(name: string): Placed {
  const [, layer, part] = /^blk\.(\d{1,4})\.(attn|ffn)?/.exec(name) ?? [];
  return {
    ...(layer === undefined ? {} : { layer: Math.min(Number(layer), 1022) }),
    ...(part === undefined ? {} : { part: part === "attn" ? "attention" : "mlp" }),
  };
}

/** The JSON of an old header in the current form, but without features. */
export function renewed(value: unknown): Fields {
  const from = fields(value, "the JSON");
  const said = words.get(from.distribution);
  if (!said) {
    throw bad(
      `"distribution" is ${JSON.stringify(from.distribution)}, not one of ${
        [...words.keys()].join(", ")
      }`,
    );
  }
  const [distribution, structure] = said;
  const optimiser = isFields(from.optimiser) ? from.optimiser : {};
  const directions = isFields(optimiser.directions) ? optimiser.directions : {};
  const found = structureIn(directions);
  if (found !== structure) {
    throw bad(
      `"distribution" is ${from.distribution}, ${
        found === undefined ? `without ${structure}` : `with ${found}`
      }`,
    );
  }
  return {
    ...from,
    distribution,
    optimiser: words.has(optimiser.distribution)
      ? { ...optimiser, distribution: words.get(optimiser.distribution)![0] }
      : from.optimiser,
    trainables: Array.isArray(from.trainables) ? from.trainables.map(placed) : from.trainables,
  };
}

function placed(trainable: unknown): unknown {
  if (!isFields(trainable) || typeof trainable.name !== "string") return trainable;
  const { layer: _, part: __, group: ___, ...rest } = trainable;
  return { ...rest, ...placeOfName(trainable.name) };
}

/** Rejects an old header whose version does not match its contents. */
export function assertVersion(found: number, features: readonly LedgerFeature[]): void {
  const has = (name: LedgerFeature) => features.includes(name);
  const needed = has("zeros")
    ? 6
    : has("gains")
    ? 4
    : has("update")
    ? 3
    : has("directions")
    ? 2
    : 1;
  if (found === needed) return;
  throw bad(
    `its version is ${found}, but its optimiser's directions and update rule need ${needed}`,
  );
}
