/**
 * GGUF's Q5_0 and Q5_1: blocks of 32 elements with an f16 scale (and minimum), a word of top bits, then 16 bytes of low
 * halves (ggml/src/ggml-common.h in ggml-org/llama.cpp).
 *
 * @module
 */

import { type BlockCodec, formatOfBlocks } from "./block_format.ts";
import type { Format } from "./format.ts";

/** Q5_0: `d (q - 16)`; Q5_1: `d q + m`. */
export const GGUF_FIVE_BITS: readonly Format[] = [fiveBits("Q5_0", 6, 1), fiveBits("Q5_1", 7, 2)];

function fiveBits(name: string, type: number, heads: number): Format {
  const headBytes = 2 * heads;
  const codec: BlockCodec = {
    name,
    type,
    layout: {
      kind: "scalar",
      bits: 5,
      center: heads === 1 ? 16 : 0,
      second: heads === 1 ? "none" : "min",
      group: 32,
    },
    elements: 32,
    bytes: headBytes + 20,
    unpack(file, at, { codes, codeWords, scaleBytes }, block) {
      for (let i = 0; i < headBytes; i++) scaleBytes[block * headBytes + i] = file.getUint8(at + i);
      const tops = at + headBytes;
      for (let i = 0; i < 16; i++) codes[block * 20 + i] = file.getUint8(tops + 4 + i);
      codeWords[block * 5 + 4] = columnsToQuads(file.getUint32(tops, true));
    },
    pack(file, at, { codes, codeWords, scaleBytes }, block) {
      for (let i = 0; i < headBytes; i++) file.setUint8(at + i, scaleBytes[block * headBytes + i]);
      const tops = at + headBytes;
      for (let i = 0; i < 16; i++) file.setUint8(tops + 4 + i, codes[block * 20 + i]);
      file.setUint32(tops, quadsToColumns(codeWords[block * 5 + 4]), true);
    },
  };
  return formatOfBlocks(codec);
}

/** A word with column c at bit c as one with column c at bit c / 4 of byte c % 4. */
function columnsToQuads(columns: number): number {
  let quads = 0;
  for (let quad = 0; quad < 8; quad++) {
    const four = columns >>> (4 * quad);
    quads |= (four & 1 | (four & 2) << 7 | (four & 4) << 14 | (four & 8) << 21) << quad;
  }
  return quads >>> 0;
}

/** The inverse of `columnsToQuads`. */
function quadsToColumns(quads: number): number {
  let columns = 0;
  for (let quad = 0; quad < 8; quad++) {
    const four = quads >>> quad;
    columns |= (four & 1 | four >>> 7 & 2 | four >>> 14 & 4 | four >>> 21 & 8) << (4 * quad);
  }
  return columns >>> 0;
}
