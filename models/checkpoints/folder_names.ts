/**
 * The names of the tensors in a Hugging Face folder, derived from the weights that an architecture lists.
 *
 * @module
 */

import type { Weight } from "../architecture.ts";
import { architectureOf } from "../architectures.ts";
import type { ModelConfig } from "../model_config.ts";

/** The names of a model's tensors in a folder. */
export interface FolderNames {
  /** Prefix of the weights' names, which is absent in files of a model without its head. */
  readonly base: string;
  /** First components of names: of all names, and of those that follow the base prefix. */
  readonly first: { readonly ofAll: ReadonlySet<string>; readonly behindBase: ReadonlySet<string> };
  /** Name of the token embedding. */
  readonly embedding: string;
  /** Name of the head if it is a separate tensor. Undefined if the architecture has none. */
  readonly head: string | undefined;
  /** The model's weights, by name in the folder. */
  readonly weights: ReadonlyMap<string, Weight>;
  /** Suffixes used in older folders, and their current names. */
  readonly olderNames: readonly (readonly [RegExp, string])[];
  /** Tensors that may be present and can be ignored. */
  readonly leftOut: readonly { readonly pattern: RegExp; readonly what: string }[];
  /** The layer to which a tensor name belongs. The model need not have this layer. */
  readonly layerOf: (name: string) => number | undefined;
}

/** The names of a model's tensors in a folder. @throws {RangeError} when the architecture is unknown. */
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
