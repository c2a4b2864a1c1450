/**
 * The f64 oracle of a whole forward of the Llama architecture, from dense weights by name.
 *
 * @module
 */
import { attention, type AttentionRow, causalRows } from "./attention.ts";
import { embedding } from "./embedding.ts";
import { matmul } from "./matmul.ts";
import { rmsNorm } from "./rms_norm.ts";
import { rope, type RopeConvention } from "./rope.ts";
import { siluGate } from "./silu_gate.ts";

/** Sizes and constants of a Llama model. */
export interface LlamaShape {
  readonly hidden: number;
  readonly layers: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** `hidden / heads` unless given. */
  readonly headSize?: number;
  readonly vocabulary: number;
  readonly epsilon: number;
  readonly ropeBase: number;
  readonly rope: RopeConvention;
  /** Divisors of the rotary frequencies, one a pair (linear and Llama 3's scaling). */
  readonly ropeFactors?: readonly number[];
  /** Tokens that a token sees, itself included, in the layers that `slides` names; in all of them unless it is given. */
  readonly window?: number;
  readonly slides?: readonly number[];
  /** How many elements of a head are rotated, its first, and what they are multiplied by; all of them, and 1, unless given. */
  readonly rotated?: number;
  readonly ropeMagnitude?: number;
}

/** Row-major matrices and vectors by their Hugging Face or GGUF names. */
export type NamedWeights = Readonly<Record<string, ArrayLike<number>>>;

/** Where a row stands and what it sees; `causalRows` and 0, 1, 2, ... for one sequence. */
export interface PackedRows extends Leading {
  readonly positions?: ArrayLike<number>;
  readonly rows?: readonly AttentionRow[];
}

/** What stands before a sequence. */
export interface Leading {
  /** Vectors that enter the first layer before the tokens' embeddings: `[n][hidden]`. The logits have rows for them. */
  readonly vectors?: ArrayLike<number>;
  /** By layer, keys and values that every row sees before its own: `[n][kvHeads * headSize]`. */
  readonly shared?: readonly { readonly k: ArrayLike<number>; readonly v: ArrayLike<number> }[];
  /** The position of the first row. Default 0. */
  readonly shift?: number;
}

const ggufNames: Readonly<Record<string, string>> = {
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  "lm_head": "output",
  "input_layernorm": "attn_norm",
  "post_attention_layernorm": "ffn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  "self_attn.o_proj": "attn_output",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** The GGUF name of a Hugging Face Llama tensor, `model.layers.0.mlp.up_proj.weight` for instance. */
export function ggufName(name: string): string {
  const stem = name.replace(/\.(weight|bias)$/, "");
  const suffix = name.slice(stem.length);
  const layer = /^model\.layers\.(\d+)\.(.+)$/.exec(stem);
  const found = ggufNames[layer ? layer[2] : stem];
  if (found === undefined) throw new RangeError(`Cannot find the GGUF name of "${name}"`);
  return (layer ? `blk.${layer[1]}.` : "") + found + suffix;
}

/** The way back: `blk.0.ffn_up.weight` for instance. */
export function huggingFaceName(name: string): string {
  const [, layer, stem, suffix] = /^(?:blk\.(\d+)\.)?(\w+)(\.\w+)$/.exec(name) ?? [];
  const found = Object.keys(ggufNames).find((key) => ggufNames[key] === stem);
  if (found === undefined) throw new RangeError(`Cannot find the name of "${name}" in a folder`);
  return (layer === undefined ? "" : `model.layers.${layer}.`) + found + suffix;
}

function lookup(weights: NamedWeights, name: string): ArrayLike<number> | undefined {
  return weights[name] ?? weights[ggufName(name)];
}

/**
 * Logits `[tokens][vocabulary]` of one branch.
 *
 * The head is tied when either `lm_head` or the embedding is missing. Projections may have biases, queries and keys gains by which every head is normalised.
 *
 * @param onHidden Told what enters the first layer, and what leaves each
 * @param onInput Told what each projection multiplies, `[tokens][inputs]`
 * @throws {TypeError} when a tensor is missing or does not have the size that the shape asks for.
 */
export function llamaLogits(
  shape: LlamaShape,
  weights: NamedWeights,
  tokens: ArrayLike<number>,
  packed: PackedRows | null = null,
  onInput: (name: string, x: Float64Array) => void = () => {},
  onHidden: (x: Float64Array) => void = () => {},
): Float64Array {
  const { hidden, feedForward, heads, kvHeads, vocabulary, epsilon } = shape;
  const headSize = shape.headSize ?? hidden / heads;
  const { vectors = [], shared, shift = 0 } = packed ?? {};
  const rows = vectors.length / hidden + tokens.length;
  const positions = packed?.positions ?? Array.from({ length: rows }, (_, i) => shift + i);
  const attentionRows = packed?.rows ?? causalRows(rows);

  const tensor = (name: string, size: number): ArrayLike<number> => {
    const found = lookup(weights, name);
    if (found?.length !== size) {
      throw new TypeError(`Cannot run: "${name}" has ${found?.length} elements, not ${size}`);
    }
    return found;
  };
  const project = (
    name: string,
    x: Float64Array,
    inputs: number,
    outputs: number,
    residual: Float64Array | null = null,
  ): Float64Array => {
    onInput(`${name}.weight`, x);
    return matmul(
      { branches: 1, rows, inputs, outputs },
      [tensor(`${name}.weight`, inputs * outputs)],
      x,
      lookup(weights, `${name}.bias`) ?? null,
      residual,
    );
  };
  const tied = lookup(weights, "model.embed_tokens.weight") ? "model.embed_tokens" : "lm_head";
  const head = lookup(weights, "lm_head.weight") ? "lm_head" : "model.embed_tokens";

  let x: Float64Array = new Float64Array(rows * hidden);
  x.set(vectors);
  const table = tensor(`${tied}.weight`, vocabulary * hidden);
  x.set(embedding([table], hidden, tokens), vectors.length);
  onHidden(x);
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `model.layers.${layer}`;
    const a = rmsNorm(x, tensor(`${at}.input_layernorm.weight`, hidden), hidden, epsilon);
    const turned = (part: "q" | "k", n: number): Float64Array => {
      const y = project(`${at}.self_attn.${part}_proj`, a, hidden, n * headSize);
      const gain = lookup(weights, `${at}.self_attn.${part}_norm.weight`);
      const even = gain ? rmsNorm(y, gain, headSize, epsilon) : y;
      const how = { rotated: shape.rotated, magnitude: shape.ropeMagnitude };
      return rope(
        even,
        positions,
        n,
        headSize,
        shape.ropeBase,
        shape.rope,
        shape.ropeFactors,
        how,
      );
    };
    const q = turned("q", heads);
    const k = turned("k", kvHeads);
    const v = project(`${at}.self_attn.v_proj`, a, hidden, kvHeads * headSize);
    const window = shape.slides?.includes(layer) === false ? undefined : shape.window;
    const own = shared?.[layer];
    const before = own && { ...own, count: own.k.length / (kvHeads * headSize) };
    const sizes = { branches: 1, heads, kvHeads, headSize, window, shared: before };
    const mixed = attention(sizes, attentionRows, q, k, v);
    x = project(`${at}.self_attn.o_proj`, mixed, heads * headSize, hidden, x);
    const f = rmsNorm(x, tensor(`${at}.post_attention_layernorm.weight`, hidden), hidden, epsilon);
    const gate = project(`${at}.mlp.gate_proj`, f, hidden, feedForward);
    const up = project(`${at}.mlp.up_proj`, f, hidden, feedForward);
    x = project(`${at}.mlp.down_proj`, siluGate(gate, up), feedForward, hidden, x);
    onHidden(x);
  }
  x = rmsNorm(x, tensor("model.norm.weight", hidden), hidden, epsilon);
  return project(head, x, hidden, vocabulary);
}
