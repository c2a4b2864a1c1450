/**
 * What the tensors of a Hugging Face folder are called, by the weights that an architecture lists.
 *
 * @module
 */

import type { Weight } from "../architecture.ts";
import { architectureOf } from "../architectures.ts";
import type { ModelConfig } from "../model_config.ts";

/** Names of a model's tensors in a folder. */
export interface FolderNames {
  /** What the names of weights begin with, and do not in the file of a model without its head. */
  readonly base: string;
  /** First parts of names: of all, and of those that begin with the base behind it. */
  readonly first: { readonly ofAll: ReadonlySet<string>; readonly behindBase: ReadonlySet<string> };
  /** The table of tokens. */
  readonly embedding: string;
  /** The head where it is a tensor of its own; undefined where the architecture has none. */
  readonly head: string | undefined;
  /** Weights that the model has, by name in the folder. */
  readonly weights: ReadonlyMap<string, Weight>;
  /** Ends of names that older folders have, and what they are called now. */
  readonly olderNames: readonly (readonly [RegExp, string])[];
  /** Tensors that may be there and say nothing. */
  readonly leftOut: readonly { readonly pattern: RegExp; readonly what: string }[];
  /** The layer that a tensor's name is of, also of one that the model does not have. */
  readonly layerOf: (name: string) => number | undefined;
}

/** The names of a model's tensors in a folder. @throws {RangeError} When its architecture is not known */
export function folderNames(config: ModelConfig): FolderNames {
  const { huggingFace: { base, olderNames = [], leftOut = [] }, weights } = architectureOf(config);
  const all = weights({ ...config, tiedHead: false });
  const names = all.map(({ huggingFace }) => huggingFace);
  const firstOf = (name: string) => name.slice(0, name.indexOf("."));
  const fronts = new Set(
    all.filter(({ layer }) => layer === 0)
      .map(({ huggingFace }) => huggingFace.slice(0, huggingFace.indexOf(".0.") + 1)),
  );
  const nameOf = (role: Weight["role"]) => all.find((it) => it.role === role)?.huggingFace;
  return {
    base,
    olderNames,
    leftOut,
    first: {
      ofAll: new Set(names.map(firstOf)),
      behindBase: new Set(
        names.filter((name) => name.startsWith(`${base}.`))
          .map((name) => firstOf(name.slice(base.length + 1))),
      ),
    },
    embedding: nameOf("embedding")!,
    head: nameOf("head"),
    weights: new Map(weights(config).map((weight) => [weight.huggingFace, weight])),
    layerOf: (name) => {
      for (const front of fronts) {
        const [, layer] = name.startsWith(front)
          ? /^(\d+)\./.exec(name.slice(front.length)) ?? []
          : [];
        if (layer !== undefined) return Number(layer);
      }
      return undefined;
    },
  };
}
