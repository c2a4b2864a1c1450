/**
 * Removes from tensor names what training wrappers add: `torch.compile`, data parallelism, sharding, activation checkpointing, adapters.
 *
 * @module
 */

import type { SafetensorsTensor } from "../../../quant/files/safetensors.ts";
import type { FolderNames } from "../folder_names.ts";
import type { StoredTensorPlace } from "./stored_tensors.ts";
import { few } from "../tensor_places.ts";

/** Segments that may occur anywhere in a name and can be removed. */
const SEGMENTS = /(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)/g;
/** Prefixes of a whole model. */
const FRONTS = /^(?:(?:module|base_model\.model)\.)+(?=([^.]+)\.)/;

/** Tensors by plain name. */
export interface PlainTensors {
  /** Tensors by plain name, in the order of the files. */
  readonly tensors: ReadonlyMap<string, StoredTensorPlace>;
  /** A sentence if names were changed. */
  readonly notes: readonly string[];
}

/**
 * Returns tensors by plain name.
 *
 * @param what The model, for messages.
 * @param names Names that the architecture has.
 * @throws {RangeError} when two tensors have the same plain name.
 */
export function plainTensors(
  what: string,
  stored: ReadonlyMap<string, StoredTensorPlace>,
  { base, first, olderNames }: Pick<FolderNames, "base" | "first" | "olderNames">,
): PlainTensors {
  const known = new Set([...first.ofAll, ...first.behindBase, "score"]);
  const unwrapped = (name: string): string => {
    const bare = withoutSegments(name);
    return bare.slice(frontOf(bare, known).length);
  };
  // Names of the parts of a model without its head, which transformers also accepts.
  const headless = ![...stored.keys()].some((name) => `.${unwrapped(name)}`.includes(`.${base}.`));
  const parts = new Set([...first.behindBase, "rotary_emb"]);
  const plain = (name: string): string => {
    const bare = unwrapped(name);
    const whole = headless && parts.has(bare.split(".", 1)[0]) ? `${base}.${bare}` : bare;
    return olderNames.reduce((now, [older, newer]) => now.replace(older, newer), whole);
  };
  const renamed = [...stored.keys()].filter((name) => unwrapped(name) !== name);
  const isOlder = (name: string) => olderNames.some(([older]) => older.test(name));
  if (renamed.length === 0 && !headless && ![...stored.keys()].some(isOlder)) {
    return { tensors: stored, notes: [] };
  }
  const planes = new Map<StoredTensorPlace["planes"], Map<string, SafetensorsTensor>>();
  const tensors = new Map<string, StoredTensorPlace>();
  const owners = new Map<string, string>();
  for (const [name, place] of stored) {
    const to = plain(name);
    const owner = owners.get(to);
    if (owner !== undefined) {
      throw new RangeError(
        `Cannot load "${what}": both ${few([owner])} and ${few([name])} would be ${
          few([to])
        } without the prefixes that training wrappers add to names; remove the one you do not need`,
      );
    }
    owners.set(to, name);
    const own = planes.get(place.planes) ??
      new Map([...place.planes].map(([other, it]) => [plain(other), it]));
    planes.set(place.planes, own);
    tensors.set(to, { ...place, planes: own });
  }
  const added = new Set(renamed.flatMap((name) => [...addedTo(name, known)]));
  return {
    tensors,
    notes: renamed.length === 0 ? [] : [
      `Names of ${renamed.length} tensors are read without ${
        [...added].map((part) => `"${part}."`).join(", ")
      }, which training wrappers add: ${few(renamed)}.`,
    ],
  };
}

function withoutSegments(name: string): string {
  return name.replace(SEGMENTS, "").replace(/^\./, "");
}

/** The wrappers' prefix of a name, if it is followed by one of `known`. */
function frontOf(bare: string, known: ReadonlySet<string>): string {
  const [front = "", next = ""] = FRONTS.exec(bare) ?? [];
  return known.has(next) ? front : "";
}

/** The segments that are removed from a name. */
function addedTo(name: string, known: ReadonlySet<string>): Set<string> {
  const inside = name.matchAll(SEGMENTS).map(([, , part]) => part);
  const front = frontOf(withoutSegments(name), known);
  return new Set([...inside, ...front.match(/base_model\.model|module/g) ?? []]);
}
