/**
 * What a forward needs to know of a model. It comes from a Hugging Face `config.json` (config_hugging_face.ts) or GGUF metadata
 * (config_gguf.ts), by the forms of its architecture.
 *
 * @module
 */

/** How rotary frequencies are stretched for longer contexts. */
export interface RopeScaling {
  /**
   * The rule: all frequencies divided; those of long wavelengths, as Llama 3 does; those, by how often a pair turns in the context before
   * (YaRN, arXiv 2309.00071); or none up to the context, which is where the rule begins (dynamic NTK).
   */
  readonly type: "linear" | "llama3" | "yarn" | "dynamic";
  /** How much longer the context becomes. */
  readonly factor: number;
  /** llama3: wavelengths longer than context / this are divided by `factor`. */
  readonly lowFrequencyFactor?: number;
  /** llama3: wavelengths shorter than context / this stay. */
  readonly highFrequencyFactor?: number;
  /** llama3 and yarn: the context before scaling. */
  readonly originalContext?: number;
  /** yarn: pairs that turn more often in that context stay. Default 32. */
  readonly betaFast?: number;
  /** yarn: pairs that turn less often are divided by `factor`. Default 1. */
  readonly betaSlow?: number;
  /** yarn: whether the pairs between which the change lies are whole ones. Default true. */
  readonly truncate?: boolean;
  /** yarn: what cosines and sines are multiplied by. Default 0.1 ln(`factor`) + 1. */
  readonly magnitude?: number;
}

/** What every decoder has; an architecture adds its own (`LlamaConfig`). Fingerprints cover every field. */
export interface ModelConfig {
  /** As GGUF spells it. */
  readonly architecture: string;
  /** Width of the residual stream. */
  readonly hidden: number;
  /** Number of layers. */
  readonly layers: number;
  /** Query heads. */
  readonly heads: number;
  /** Heads of keys and values. */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Width of the feed-forward layer. */
  readonly feedForward: number;
  /** Rows of the embedding table. */
  readonly vocabulary: number;
  /** Longest sequence. */
  readonly context: number;
  /** The output head is the embedding table. */
  readonly tiedHead: boolean;
  /** Tokens that a token sees in layers with a sliding window: the last before it, itself included; undefined for all before it. */
  readonly slidingWindow?: number | undefined;
  /** The layers with that window, in order; undefined for all. */
  readonly slidingLayers?: readonly number[] | undefined;
}

/**
 * Tokens that a token sees in a layer, itself included; undefined for all before it.
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
