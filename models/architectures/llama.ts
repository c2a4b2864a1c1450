/**
 * The Llama architecture (Touvron et al., arXiv 2302.13971; Llama 2, Llama 3, Mistral, Vicuna): RMSNorm, rotary positions,
 * grouped-query attention, SwiGLU.
 *
 * @module
 */

import {
  attention,
  type DeviceTensor,
  embedding,
  type ForwardContext,
  matmul,
  perturbationsOf,
  rmsNorm,
  rope,
  siluGate,
  type Storage,
  storeRows,
  type Value,
} from "../../kernels/mod.ts";
import type { ModelConfig } from "../model_config.ts";

/** Keys and values of earlier tokens, by layer: `[rows][keyValueHeads * headDimension]`. */
export interface KeyValueCache {
  /** Rows of each cache. */
  readonly rows: number;
  /** By layer. */
  readonly keys: readonly Storage[];
  /** By layer. */
  readonly values: readonly Storage[];
}

/** What the forward reads besides the batch. */
export interface LlamaParameters {
  /** Weights by GGUF name. */
  readonly weight: (name: string) => DeviceTensor;
  /** What a matrix multiplies: its input as it is, or with the columns in the matrix's order. */
  readonly inputOf: (input: Value, name: string) => Value;
  /** `[context][pairs](cos, sin)`. */
  readonly ropeTable: Storage;
}

/** A weight of the model: what it is called, and its shape. */
export interface WeightShape {
  /** GGUF name. */
  readonly name: string;
  /** Output features; 1 for gains. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** `"matrix"` may be quantised, `"norm"` is a gain, `"embedding"` and `"head"` are the vocabulary's tables. */
  readonly kind: "matrix" | "norm" | "embedding" | "head";
}

/** Every weight of a Llama model, in the order of the forward. */
export function llamaWeights(c: ModelConfig): WeightShape[] {
  const attend = c.heads * c.headDimension;
  const keyValue = c.keyValueHeads * c.headDimension;
  const matrix = (name: string, rows: number, columns: number): WeightShape => ({
    name: `${name}.weight`,
    rows,
    columns,
    kind: "matrix",
  });
  const norm = (name: string): WeightShape => ({
    name: `${name}.weight`,
    rows: 1,
    columns: c.hidden,
    kind: "norm",
  });
  return [
    { ...matrix("token_embd", c.vocabulary, c.hidden), kind: "embedding" },
    ...Array.from({ length: c.layers }, (_, i) => [
      norm(`blk.${i}.attn_norm`),
      matrix(`blk.${i}.attn_q`, attend, c.hidden),
      matrix(`blk.${i}.attn_k`, keyValue, c.hidden),
      matrix(`blk.${i}.attn_v`, keyValue, c.hidden),
      matrix(`blk.${i}.attn_output`, c.hidden, attend),
      norm(`blk.${i}.ffn_norm`),
      matrix(`blk.${i}.ffn_gate`, c.feedForward, c.hidden),
      matrix(`blk.${i}.ffn_up`, c.feedForward, c.hidden),
      matrix(`blk.${i}.ffn_down`, c.hidden, c.feedForward),
    ]).flat(),
    norm("output_norm"),
    ...c.tiedHead ? [] : [{ ...matrix("output", c.vocabulary, c.hidden), kind: "head" as const }],
  ];
}

/** Channels that may be divided where they arise when the columns that read them are multiplied: the model stays the same. */
export interface ChannelScaling {
  /** A norm's gain, or a matrix whose rows are the channels. */
  readonly from: string;
  /** The matrices that read them, and nothing else does. */
  readonly into: readonly string[];
  /** By column of those, the channel that it reads. Default: that of the same number. */
  readonly sources?: Uint32Array;
}

/** Those of a block: gains into what follows them, values into the output, the linear half of the gate into the way down. */
export function llamaScalings(c: ModelConfig, i: number): ChannelScaling[] {
  const name = (part: string) => `blk.${i}.${part}.weight`;
  const d = c.headDimension;
  const perHead = c.heads / c.keyValueHeads;
  const sources = Uint32Array.from(
    { length: c.heads * d },
    (_, k) => Math.floor(k / d / perHead) * d + k % d,
  );
  return [
    { from: name("attn_norm"), into: ["attn_q", "attn_k", "attn_v"].map(name) },
    { from: name("attn_v"), into: [name("attn_output")], sources },
    { from: name("ffn_norm"), into: ["ffn_gate", "ffn_up"].map(name) },
    { from: name("ffn_up"), into: [name("ffn_down")] },
  ];
}

/** The hidden states that enter the first block: `[B][M][hidden]`. */
export function llamaEmbedding(
  x: ForwardContext,
  _c: ModelConfig,
  { weight }: LlamaParameters,
): Value {
  return embedding(x, weight("token_embd.weight"));
}

/** Records block `i` of the forward: hidden states `[B][M][hidden]` to those that leave it, not yet normalised. */
export function llamaBlock(
  x: ForwardContext,
  c: ModelConfig,
  { weight, inputOf, ropeTable }: LlamaParameters,
  hidden: Value | Storage,
  i: number,
  cache?: KeyValueCache,
): Value {
  const block = `blk.${i}`;
  const linear = (input: Value, name: string, residual?: Value | Storage) => {
    const matrix = weight(`${block}.${name}.weight`);
    const perturbations = perturbationsOf(matrix, x.perturbation);
    return matmul(x.graph, inputOf(input, matrix.name), matrix, {
      ...x,
      residual,
      ...perturbations,
    });
  };
  const norm = (input: Value | Storage, name: string) =>
    rmsNorm(x, input, weight(`${block}.${name}.weight`), c.rmsEpsilon);
  const rotated = (input: Value, heads: number) =>
    rope(x, input, ropeTable, {
      heads,
      headDimension: c.headDimension,
      interleaved: c.ropeInterleaved,
    });

  const h = norm(hidden, "attn_norm");
  const q = rotated(linear(h, "attn_q"), c.heads); // [B][M][heads * head]
  let k: Value | Storage = rotated(linear(h, "attn_k"), c.keyValueHeads);
  let v: Value | Storage = linear(h, "attn_v"); // [B][M][keyValueHeads * head]
  if (cache) {
    const width = c.keyValueHeads * c.headDimension;
    storeRows(x, k, cache.keys[i], width, cache.rows);
    storeRows(x, v, cache.values[i], width, cache.rows);
    k = cache.keys[i];
    v = cache.values[i];
  }
  const attended = attention(x, q, k, v, { ...c, keyRows: cache?.rows ?? x.rows });
  const between = linear(attended, "attn_output", hidden);

  const f = norm(between, "ffn_norm");
  const gated = siluGate(x, linear(f, "ffn_gate"), linear(f, "ffn_up"));
  return linear(gated, "ffn_down", between);
}
