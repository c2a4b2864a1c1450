/**
 * A tiny Q4_0 model in the two files of a split GGUF, with factors of rotary frequencies, and where its tensors lie.
 *
 * @module
 */
import { join } from "@std/path";
import {
  f32Tensor,
  ggufBytes,
  type GgufTensor,
  type GgufValue,
  llamaMetadata,
} from "./gguf_writer.ts";
import { randomNormals, randomNumbers, TINY_LLAMA } from "./random_llama.ts";

const ROW = 18;

/** Blocks of 32 columns: an f16 scale near 0.05, then 16 bytes of two codes each. */
function q4(rows: number, columns: number, random: () => number): GgufTensor {
  const bytes = Uint8Array.from({ length: rows * columns / 32 * ROW }, () => random() * 256);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += ROW) view.setUint16(at, 0x2a00 + random() * 256, true);
  return { dimensions: [columns, rows], type: 2, bytes };
}

function tensors(): Record<string, GgufTensor> {
  const random = randomNumbers(11);
  const { hidden, feedForward, vocabulary, heads, kvHeads } = TINY_LLAMA;
  const keyValue = hidden / heads * kvHeads;
  const norm = () =>
    f32Tensor(Float32Array.from({ length: hidden }, () => 0.5 + random()), [hidden]);
  return {
    "token_embd.weight": f32Tensor(randomNormals(vocabulary * hidden, 0.2, random), [
      hidden,
      vocabulary,
    ]),
    "rope_freqs.weight": f32Tensor(Float32Array.from({ length: 8 }, (_, i) => 1 + i / 4), [8]),
    "blk.0.attn_norm.weight": norm(),
    "blk.0.attn_q.weight": q4(hidden, hidden, random),
    "blk.0.attn_k.weight": q4(keyValue, hidden, random),
    "blk.0.attn_v.weight": q4(keyValue, hidden, random),
    "blk.0.attn_output.weight": q4(hidden, hidden, random),
    "blk.0.ffn_norm.weight": norm(),
    "blk.0.ffn_gate.weight": q4(feedForward, hidden, random),
    "blk.0.ffn_up.weight": q4(feedForward, hidden, random),
    "blk.0.ffn_down.weight": q4(hidden, feedForward, random),
    "output_norm.weight": norm(),
  };
}

/** Tensors of the first part; the others lie in the second. */
const FIRST = 6;

/** Writes the base into `folder`, after `change` has had its way with the bytes of its tensors. */
export async function writeSplitBase(
  folder: string,
  change: (bytesOf: (tensor: string) => Uint8Array) => void = () => {},
): Promise<{ readonly paths: readonly [string, string] }> {
  const all = tensors();
  change((name) => all[name].bytes);
  const entries = Object.entries(all);
  const u32 = (value: number): GgufValue => ({ kind: "u32", value });
  const paths = [0, 1].map((i) => join(folder, `base-0000${i + 1}-of-00002.gguf`));
  for (const [i, part] of [entries.slice(0, FIRST), entries.slice(FIRST)].entries()) {
    const metadata = {
      ...(i === 0 ? llamaMetadata(TINY_LLAMA, 64) : {}),
      "split.no": u32(i),
      "split.count": u32(2),
      "split.tensors.count": u32(entries.length),
    };
    await Deno.writeFile(paths[i], ggufBytes(metadata, Object.fromEntries(part)));
  }
  return { paths: [paths[0], paths[1]] };
}

/** Ways to change a base that leave the first and last rows of every tensor as they are, but for the small ones. */
export const CHANGES: Readonly<Record<string, (bytesOf: (tensor: string) => Uint8Array) => void>> =
  {
    "middle rows in another order": (bytesOf) => {
      const bytes = bytesOf("blk.0.ffn_up.weight");
      const rows = Array.from({ length: 64 }, (_, r) => bytes.slice(r * ROW, (r + 1) * ROW));
      rows.splice(2, 60, ...rows.slice(2, 62).reverse());
      rows.forEach((row, r) => bytes.set(row, r * ROW));
    },
    "a bit of a code in the middle": (bytesOf) =>
      void (bytesOf("blk.0.ffn_gate.weight")[31 * ROW + 9] ^= 1),
    "a bit of a scale": (bytesOf) => void (bytesOf("blk.0.attn_q.weight")[15 * ROW] ^= 1),
    "a bit of the embedding": (bytesOf) => void (bytesOf("token_embd.weight")[100 * 128 + 5] ^= 1),
    "a bit of a norm": (bytesOf) => void (bytesOf("output_norm.weight")[60] ^= 1),
    "a bit of the rotary factors": (bytesOf) => void (bytesOf("rope_freqs.weight")[13] ^= 1),
    "a bit in the last tensor of the second file": (bytesOf) =>
      void (bytesOf("blk.0.ffn_down.weight")[20 * 2 * ROW + 25] ^= 128),
  };
