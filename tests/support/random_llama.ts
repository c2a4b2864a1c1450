/**
 * Small random models for tests, the same on every run.
 *
 * @module
 */
import type { LlamaShape } from "../reference/llama.ts";

/** A seeded generator of numbers in [0, 1) (mulberry32, public domain); for test data only. */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Roughly normal f32 numbers with the given standard deviation. */
export function randomNormals(
  length: number,
  deviation: number,
  random: () => number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  for (let at = 0; at < length; at++) {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += random();
    values[at] = sum * deviation;
  }
  return values;
}

/** The least Llama model that has heads which share keys, and a token for each byte. */
export const TINY_LLAMA: LlamaShape = {
  hidden: 32,
  layers: 1,
  feedForward: 64,
  heads: 2,
  kvHeads: 1,
  vocabulary: 272,
  epsilon: 1e-5,
  ropeBase: 10000,
  rope: "norm",
};

/** Random f32 weights of a Llama model under Hugging Face names; gains near 1. */
export function randomLlama(
  shape: LlamaShape,
  options: { seed?: number; tied?: boolean } = {},
): Record<string, Float32Array<ArrayBuffer>> {
  const random = randomNumbers(options.seed ?? 1);
  const { hidden, feedForward, heads, kvHeads, vocabulary } = shape;
  const headSize = shape.headSize ?? hidden / heads;
  const weights: Record<string, Float32Array<ArrayBuffer>> = {};
  const matrix = (name: string, outputs: number, inputs: number): void => {
    weights[`${name}.weight`] = randomNormals(outputs * inputs, inputs ** -0.5, random);
  };
  const gain = (name: string): void => {
    weights[`${name}.weight`] = randomNormals(hidden, 0.2, random).map((value) => 1 + value);
  };
  matrix("model.embed_tokens", vocabulary, hidden);
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `model.layers.${layer}`;
    gain(`${at}.input_layernorm`);
    matrix(`${at}.self_attn.q_proj`, heads * headSize, hidden);
    matrix(`${at}.self_attn.k_proj`, kvHeads * headSize, hidden);
    matrix(`${at}.self_attn.v_proj`, kvHeads * headSize, hidden);
    matrix(`${at}.self_attn.o_proj`, hidden, heads * headSize);
    gain(`${at}.post_attention_layernorm`);
    matrix(`${at}.mlp.gate_proj`, feedForward, hidden);
    matrix(`${at}.mlp.up_proj`, feedForward, hidden);
    matrix(`${at}.mlp.down_proj`, hidden, feedForward);
  }
  gain("model.norm");
  if (!options.tied) matrix("lm_head", vocabulary, hidden);
  return weights;
}

/**
 * The weights with the rows of q and k reordered from the "neox" to the "norm" convention of RoPE, as converters to GGUF do:
 * row `2i + j` of a head is what was row `i + j * headSize / 2`.
 */
export function permuteHeads(
  shape: LlamaShape,
  weights: Readonly<Record<string, Float32Array>>,
): Record<string, Float32Array> {
  const headSize = shape.headSize ?? shape.hidden / shape.heads;
  const result: Record<string, Float32Array> = { ...weights };
  for (const [name, matrix] of Object.entries(weights)) {
    if (!/\.(q|k)_proj\./.test(name)) continue;
    const width = name.endsWith(".bias") ? 1 : shape.hidden;
    const permuted = new Float32Array(matrix.length);
    for (let row = 0; row < matrix.length / width; row++) {
      const within = row % headSize;
      const source = row - within + Math.floor(within / 2) + (within % 2) * headSize / 2;
      permuted.set(matrix.subarray(source * width, (source + 1) * width), row * width);
    }
    result[name] = permuted;
  }
  return result;
}
