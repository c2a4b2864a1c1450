/**
 * How llama.cpp decodes the blocks of a GGUF type, seen through the logits of a model that does nothing else.
 *
 * @module
 */
import { f32Tensor, ggufBytes, llamaF32Tensors, llamaMetadata } from "./gguf_writer.ts";
import { llamaCppLogitsOf } from "./llama_cpp.ts";
import type { LlamaShape } from "../reference/llama.ts";

/**
 * Decodes `rows x columns` weights in the given GGML type as llama.cpp does, to `[rows][columns]`.
 *
 * The tensor is the embedding of a model whose block is zero, so the residual is the decoded row e. The final norm gives
 * y = e / sqrt(mean e² + epsilon) and an identity head shows y; with epsilon = 1 the norm can be undone. The result is
 * good to a few units of f32's last place.
 *
 * @param type GGML's number of the type: 1 F16, 2 Q4_0, 3 Q4_1, 8 Q8_0, 30 BF16, ...
 * @param bytes The rows' blocks, end to end.
 * @throws {TypeError} when columns are not a multiple of 32 or the bytes do not divide into rows.
 */
export async function ggufDecodeJudge(
  type: number,
  bytes: Uint8Array,
  rows: number,
  columns: number,
): Promise<Float64Array> {
  const logits = await ggufNormalisedRows(type, bytes, rows, columns);
  const decoded = new Float64Array(rows * columns);
  logits.forEach((row, i) => {
    let squares = 0;
    for (let k = 0; k < columns; k++) squares += row[k] ** 2;
    const mean = squares / columns; // = m / (m + 1) with m = mean e²
    for (let k = 0; k < columns; k++) decoded[i * columns + k] = row[k] / Math.sqrt(1 - mean);
  });
  return decoded;
}

/**
 * What llama.cpp computes from one decoded row: in f32, `e * (1 / sqrt(mean(e²) + 1))`, the squares rounded to f32 and summed in
 * f64. Equal rows here are equal decodes, bit for bit.
 */
export function normalisedRow(e: ArrayLike<number>): Float32Array {
  let sum = 0;
  for (let k = 0; k < e.length; k++) sum += Math.fround(e[k] * e[k]);
  const mean = Math.fround(sum / e.length);
  const scale = Math.fround(1 / Math.fround(Math.sqrt(Math.fround(mean + 1))));
  return Float32Array.from({ length: e.length }, (_, k) => e[k] * scale);
}

/**
 * The decoded rows as llama.cpp's final norm leaves them, `[rows][at least columns]`.
 *
 * Takes and throws what {@linkcode ggufDecodeJudge} does.
 */
export async function ggufNormalisedRows(
  type: number,
  bytes: Uint8Array,
  rows: number,
  columns: number,
): Promise<ArrayLike<number>[]> {
  if (columns % 32 || bytes.length % rows) {
    throw new TypeError(`Cannot judge ${bytes.length} bytes as ${rows} rows of ${columns} columns`);
  }
  const vocabulary = Math.max(259, rows, columns);
  const shape: LlamaShape = {
    hidden: columns,
    layers: 1,
    feedForward: 32,
    heads: columns / 32,
    kvHeads: columns / 32,
    vocabulary,
    epsilon: 1,
    ropeBase: 10000,
    rope: "norm",
  };
  const square = new Float32Array(columns * columns);
  const feedForward = new Float32Array(32 * columns);
  const ones = new Float32Array(columns).fill(1);
  const identity = new Float32Array(vocabulary * columns);
  for (let i = 0; i < columns; i++) identity[i * columns + i] = 1;
  // Rows that only fill up the vocabulary: zero bytes decode to zero in every type.
  const table = new Uint8Array(bytes.length / rows * vocabulary);
  table.set(bytes);
  const tensors = {
    "token_embd.weight": { dimensions: [columns, vocabulary], type, bytes: table },
    ...llamaF32Tensors(shape, {
      "blk.0.attn_norm.weight": ones,
      "blk.0.attn_q.weight": square,
      "blk.0.attn_k.weight": square,
      "blk.0.attn_v.weight": square,
      "blk.0.attn_output.weight": square,
      "blk.0.ffn_norm.weight": ones,
      "blk.0.ffn_gate.weight": feedForward,
      "blk.0.ffn_up.weight": feedForward,
      "blk.0.ffn_down.weight": feedForward,
    }),
    "output_norm.weight": f32Tensor(ones, [columns]),
    "output.weight": f32Tensor(identity, [columns, vocabulary]),
  };
  const file = await Deno.makeTempFile({ suffix: ".gguf" });
  try {
    await Deno.writeFile(file, ggufBytes(llamaMetadata(shape, rows + 1), tensors));
    const [logits] = await llamaCppLogitsOf(file, [Array.from({ length: rows }, (_, i) => i)]);
    return logits;
  } finally {
    await Deno.remove(file);
  }
}
