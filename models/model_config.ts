/**
 * What a forward needs to know of a model. It comes from a Hugging Face `config.json` (config_hugging_face.ts) or GGUF metadata
 * (config_gguf.ts), by the forms of its architecture.
 *
 * @module
 */

/** Llama-3 style frequency scaling (`rope_type: "llama3"`), or linear. */
export interface RopeScaling {
  /** The rule. */
  readonly type: "linear" | "llama3";
  /** How much longer the context becomes. */
  readonly factor: number;
  /** llama3: wavelengths longer than context / this are divided by `factor`. */
  readonly lowFrequencyFactor?: number;
  /** llama3: wavelengths shorter than context / this stay. */
  readonly highFrequencyFactor?: number;
  /** llama3: the context before scaling. */
  readonly originalContext?: number;
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
  /** Longest sequence; where attention has a sliding window, at most that: up to it the window changes nothing. */
  readonly context: number;
  /** The output head is the embedding table. */
  readonly tiedHead: boolean;
}
