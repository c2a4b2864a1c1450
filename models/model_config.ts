/**
 * The model properties that a forward pass needs. They are read from a Hugging Face `config.json` (config_hugging_face.ts) or from GGUF metadata
 * (config_gguf.ts), in the forms of the model's architecture.
 *
 * @module
 */

/** How rotary frequencies are scaled for longer contexts. */
export interface RopeScaling {
  /**
   * The rule. `"linear"` divides all frequencies. `"llama3"` divides those with long wavelengths. `"yarn"` scales each by how often its pair
   * turns within the original context (YaRN, arXiv 2309.00071). `"dynamic"` (dynamic NTK) changes nothing up to the context and takes effect
   * beyond it.
   */
  readonly type: "linear" | "llama3" | "yarn" | "dynamic";
  /** Factor by which the context is extended. */
  readonly factor: number;
  /** llama3: wavelengths longer than the original context divided by this are divided by `factor`. */
  readonly lowFrequencyFactor?: number;
  /** llama3: wavelengths shorter than the original context divided by this are unchanged. */
  readonly highFrequencyFactor?: number;
  /** llama3 and yarn: the context before scaling, in tokens. */
  readonly originalContext?: number;
  /** yarn: pairs that turn more often than this within the original context are unchanged. Default 32. */
  readonly betaFast?: number;
  /** yarn: pairs that turn less often than this within the original context are divided by `factor`. Default 1. */
  readonly betaSlow?: number;
  /** yarn: whether the ends of the transition are rounded to whole pairs. Default true. */
  readonly truncate?: boolean;
  /** yarn: factor for cosines and sines. Default 0.1 ln(`factor`) + 1. */
  readonly magnitude?: number;
}

/** The configuration common to all architectures. An architecture adds its own fields (`LlamaConfig`). Fingerprints cover every field. */
export interface ModelConfig {
  /** Name of the architecture as spelled by GGUF. */
  readonly architecture: string;
  /** Width of the residual stream. */
  readonly hidden: number;
  /** Number of layers. */
  readonly layers: number;
  /** Number of query heads. */
  readonly heads: number;
  /** Number of key and value heads. */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Width of the feed-forward layer. */
  readonly feedForward: number;
  /** Rows of the embedding table. */
  readonly vocabulary: number;
  /** Longest sequence in tokens. */
  readonly context: number;
  /** Whether the output head shares the embedding table. */
  readonly tiedHead: boolean;
  /** In layers with a sliding window, the number of most recent tokens that a token attends to, itself included. Undefined if there is no window. */
  readonly slidingWindow?: number | undefined;
  /** Indices of the layers with that window, in ascending order. Undefined if all layers have it. */
  readonly slidingLayers?: readonly number[] | undefined;
}

/**
 * The number of most recent tokens that a token attends to in a layer, itself included. Undefined if it attends to all before it.
 *
 * @example Every second layer has a window
 * ```ts
 * import { windowOf } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const config = { slidingWindow: 128, slidingLayers: [0, 2] };
 * assertEquals([0, 1, 2].map((layer) => windowOf(config, layer)), [128, undefined, 128]);
 * ```
 */
export function windowOf(
  { slidingWindow, slidingLayers }: Pick<ModelConfig, "slidingWindow" | "slidingLayers">,
  layer: number,
): number | undefined {
  return slidingLayers?.includes(layer) === false ? undefined : slidingWindow;
}
