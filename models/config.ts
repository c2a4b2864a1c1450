/**
 * What a forward needs to know of a model, from a Hugging Face `config.json` or GGUF metadata.
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

/** Shape and constants of a decoder. */
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
  /** Added to the mean square before the root. */
  readonly rmsEpsilon: number;
  /** Base of the rotary frequencies. */
  readonly ropeTheta: number;
  /** Rotated pairs lie side by side (GGUF) instead of half a head apart (Hugging Face). */
  readonly ropeInterleaved: boolean;
  /** How rotary frequencies are stretched; undefined for none. */
  readonly ropeScaling?: RopeScaling | undefined;
  /** The output head is the embedding table. */
  readonly tiedHead: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

function positiveInteger(from: Fields, key: string, what: string, fallback?: number): number {
  const value = from[key] ?? fallback;
  if (Number.isInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31) {
    return value as number;
  }
  throw new RangeError(
    `Cannot read ${what}: "${key}" is ${JSON.stringify(value)}, not a positive integer`,
  );
}

function positiveNumber(from: Fields, key: string, what: string, fallback?: number): number {
  const value = from[key] ?? fallback;
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw new RangeError(
    `Cannot read ${what}: "${key}" is ${JSON.stringify(value)}, not a positive number`,
  );
}

/** Checks what holds for every model: heads divide, dimensions fit the kernels. */
function checked(config: ModelConfig, what: string): ModelConfig {
  const { heads, keyValueHeads, headDimension, hidden, layers } = config;
  if (heads % keyValueHeads !== 0) {
    throw new RangeError(
      `Cannot read ${what}: ${heads} heads are not a multiple of ${keyValueHeads} key-value heads`,
    );
  }
  if (layers > 4096) {
    throw new RangeError(
      `Cannot read ${what}: ${layers} layers are more than the 4096 of any known model`,
    );
  }
  if (headDimension % 4 !== 0 || hidden % 4 !== 0 || headDimension > 1024) {
    throw new RangeError(
      `Cannot read ${what}: head dimension ${headDimension} and hidden size ${hidden} must be multiples of 4`,
    );
  }
  return config;
}

/**
 * The configuration in a Hugging Face `config.json` (`model_type` llama, or mistral without a sliding window shorter than
 * the context).
 *
 * @throws {RangeError} For another architecture, or a value that is missing or out of range
 *
 * @example A small model
 * ```ts
 * import { configFromHuggingFace } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const config = configFromHuggingFace({
 *   model_type: "llama", hidden_size: 64, intermediate_size: 160, num_hidden_layers: 2,
 *   num_attention_heads: 4, vocab_size: 256, rms_norm_eps: 1e-5, max_position_embeddings: 128,
 * });
 * assertEquals(config.headDimension, 16);
 * ```
 */
export function configFromHuggingFace(json: unknown, name = "config.json"): ModelConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new SyntaxError(`Cannot read "${name}": not a JSON object`);
  }
  const from = json as Fields;
  const what = `"${name}"`;
  const type = from.model_type;
  if (type !== "llama" && type !== "mistral") {
    throw new RangeError(
      `Cannot read ${what}: model_type ${
        JSON.stringify(type)
      } is not supported, known are llama, mistral`,
    );
  }
  if (from.hidden_act !== undefined && from.hidden_act !== "silu") {
    throw new RangeError(
      `Cannot read ${what}: hidden_act ${
        JSON.stringify(from.hidden_act)
      } is not supported, only silu`,
    );
  }
  if (from.attention_bias === true || from.mlp_bias === true) {
    throw new RangeError(
      `Cannot read ${what}: biases in attention or feed-forward are not supported`,
    );
  }
  const hidden = positiveInteger(from, "hidden_size", what);
  const heads = positiveInteger(from, "num_attention_heads", what);
  const context = positiveInteger(from, "max_position_embeddings", what, 2048);
  const window = from.sliding_window;
  return checked({
    architecture: "llama",
    hidden,
    layers: positiveInteger(from, "num_hidden_layers", what),
    heads,
    keyValueHeads: positiveInteger(from, "num_key_value_heads", what, heads),
    headDimension: positiveInteger(from, "head_dim", what, hidden / heads),
    feedForward: positiveInteger(from, "intermediate_size", what),
    vocabulary: positiveInteger(from, "vocab_size", what),
    context: typeof window === "number" && window > 0 ? Math.min(context, window) : context,
    rmsEpsilon: positiveNumber(from, "rms_norm_eps", what, 1e-6),
    ropeTheta: positiveNumber(from, "rope_theta", what, 1e4),
    ropeInterleaved: false,
    ropeScaling: scalingFromHuggingFace(from.rope_scaling, what),
    tiedHead: from.tie_word_embeddings === true,
  }, what);
}

function scalingFromHuggingFace(value: unknown, what: string): RopeScaling | undefined {
  if (value === null || value === undefined) return undefined;
  const from = value as Fields;
  const type = from.rope_type ?? from.type;
  if (type === "default") return undefined;
  if (type === "linear") {
    return { type, factor: positiveNumber(from, "factor", `${what} rope_scaling`) };
  }
  if (type === "llama3") {
    return {
      type,
      factor: positiveNumber(from, "factor", `${what} rope_scaling`),
      lowFrequencyFactor: positiveNumber(from, "low_freq_factor", `${what} rope_scaling`),
      highFrequencyFactor: positiveNumber(from, "high_freq_factor", `${what} rope_scaling`),
      originalContext: positiveInteger(
        from,
        "original_max_position_embeddings",
        `${what} rope_scaling`,
      ),
    };
  }
  throw new RangeError(
    `Cannot read ${what}: rope_scaling ${JSON.stringify(type)} is not supported`,
  );
}

/**
 * The configuration in GGUF metadata (`general.architecture` llama).
 *
 * @param embeddingRows Rows of the embedding table: the vocabulary, which the metadata may leave out
 * @throws {RangeError} For another architecture, or a value that is missing or out of range
 */
export function configFromGguf(
  metadata: ReadonlyMap<string, unknown>,
  tensors: { readonly embeddingRows: number; readonly hasHead: boolean },
  name = "GGUF file",
): ModelConfig {
  const what = `"${name}"`;
  const architecture = metadata.get("general.architecture");
  if (architecture !== "llama") {
    throw new RangeError(
      `Cannot read ${what}: architecture ${
        JSON.stringify(architecture)
      } is not supported, known is llama`,
    );
  }
  const from: Record<string, unknown> = {};
  for (const [key, value] of metadata) {
    if (key.startsWith("llama.")) {
      from[key.slice(6)] = typeof value === "bigint" ? Number(value) : value;
    }
  }
  if (
    from["rope.scaling.type"] !== undefined && from["rope.scaling.type"] !== "none" &&
    from["rope.scaling.type"] !== "linear"
  ) {
    throw new RangeError(
      `Cannot read ${what}: rope.scaling.type ${
        JSON.stringify(from["rope.scaling.type"])
      } is not supported`,
    );
  }
  const hidden = positiveInteger(from, "embedding_length", what);
  const heads = positiveInteger(from, "attention.head_count", what);
  const headDimension = positiveInteger(from, "attention.key_length", what, hidden / heads);
  if (
    from["rope.dimension_count"] !== undefined && from["rope.dimension_count"] !== headDimension
  ) {
    throw new RangeError(
      `Cannot read ${what}: rope.dimension_count ${
        from["rope.dimension_count"]
      } differs from the head dimension ${headDimension}`,
    );
  }
  return checked({
    architecture,
    hidden,
    layers: positiveInteger(from, "block_count", what),
    heads,
    keyValueHeads: positiveInteger(from, "attention.head_count_kv", what, heads),
    headDimension,
    feedForward: positiveInteger(from, "feed_forward_length", what),
    vocabulary: tensors.embeddingRows,
    context: positiveInteger(from, "context_length", what),
    rmsEpsilon: positiveNumber(from, "attention.layer_norm_rms_epsilon", what, 1e-5),
    ropeTheta: positiveNumber(from, "rope.freq_base", what, 1e4),
    ropeInterleaved: true,
    ropeScaling: from["rope.scaling.type"] === "linear"
      ? { type: "linear", factor: positiveNumber(from, "rope.scaling.factor", what) }
      : undefined,
    tiedHead: !tensors.hasHead,
  }, what);
}
