/**
 * GGUF's formats whose codes are points of a grid: IQ1, IQ2 and IQ3 (ggml/src/ggml-common.h and ggml-quants.c in ggml-org/llama.cpp). In memory, a
 * block of 32 columns consists of the low bytes of its codes and a word of signs; upper bits and scales are stored separately. This takes up to 6
 * bytes more per 256 columns than the file: padding, scales that share words with signs in the file, and signs that follow from others.
 *
 * @module
 */

import { formatOfBlocks } from "./block_format.ts";
import type { Format } from "./format.ts";
import { addHighBits, type Grid, GRIDS, highBits, signsWord } from "../layouts/grids.ts";
import { SUPER_SCALES } from "../layouts/super_scales.ts";

/** A block of 32 columns. */
interface GridBlock {
  /** The low bytes of its codes. A block of 8 points also uses the second word. */
  readonly low: Uint32Array<ArrayBuffer>;
  /** Sign bits, one byte per 8 columns. */
  signs: number;
  /** The upper bits of its codes, `highWidth` bits. */
  high: number;
  /** The scales of its groups, 4 bits each. */
  scales: number;
}

interface GridCodec {
  readonly name: string;
  readonly type: number;
  readonly grid: Grid;
  readonly bytes: number;
  /** Position of the 8 bytes with all scales and `d`. If absent, a block starts with `d`. */
  readonly scales?: number;
  /** Reads block `b` of the super-block whose bytes start at `at`. */
  read(file: DataView, at: number, b: number, block: GridBlock): void;
  /** The inverse of `read`. The bytes must be zero before. */
  write(file: DataView, at: number, b: number, block: GridBlock): void;
}

/** IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S. */
export const GGUF_GRID_FORMATS: readonly Format[] = [
  gridFormat({
    name: "IQ1_S",
    type: 19,
    grid: "iq1_s",
    bytes: 50,
    read(file, at, b, block) {
      block.low[0] = file.getUint32(at + 2 + 4 * b, true);
      block.high = file.getUint16(at + 34 + 2 * b, true);
    },
    write(file, at, b, block) {
      file.setUint32(at + 2 + 4 * b, block.low[0], true);
      file.setUint16(at + 34 + 2 * b, block.high, true);
    },
  }),
  gridFormat({
    name: "IQ1_M",
    type: 29,
    grid: "iq1_m",
    bytes: 56,
    scales: 48,
    read(file, at, b, block) {
      block.low[0] = file.getUint32(at + 4 * b, true);
      block.high = file.getUint16(at + 32 + 2 * b, true);
    },
    write(file, at, b, block) {
      file.setUint32(at + 4 * b, block.low[0], true);
      file.setUint16(at + 32 + 2 * b, block.high, true);
    },
  }),
  gridFormat({
    name: "IQ2_XXS",
    type: 16,
    grid: "iq2_xxs",
    bytes: 66,
    read(file, at, b, block) {
      block.low[0] = file.getUint32(at + 2 + 8 * b, true);
      readSignsAndScale(file, at + 6 + 8 * b, block);
    },
    write(file, at, b, block) {
      file.setUint32(at + 2 + 8 * b, block.low[0], true);
      writeSignsAndScale(file, at + 6 + 8 * b, block);
    },
  }),
  gridFormat({
    name: "IQ2_XS",
    type: 17,
    grid: "iq2_xs",
    bytes: 74,
    read(file, at, b, block) {
      block.high = block.low[0] = block.signs = 0;
      for (let i = 0; i < 4; i++) {
        const half = file.getUint16(at + 2 + 8 * b + 2 * i, true);
        block.low[0] |= (half & 255) << (8 * i);
        block.high |= (half >> 8 & 1) << i;
        block.signs |= withEighth(half >> 9) << (8 * i);
      }
      block.scales = file.getUint8(at + 66 + b);
    },
    write(file, at, b, block) {
      for (let i = 0; i < 4; i++) {
        const half = block.low[0] >>> (8 * i) & 255 | (block.high >> i & 1) << 8 |
          (block.signs >>> (8 * i) & 127) << 9;
        file.setUint16(at + 2 + 8 * b + 2 * i, half, true);
      }
      file.setUint8(at + 66 + b, block.scales);
    },
  }),
  gridFormat({
    name: "IQ2_S",
    type: 22,
    grid: "iq2_s",
    bytes: 82,
    read(file, at, b, block) {
      block.low[0] = file.getUint32(at + 2 + 4 * b, true);
      block.signs = file.getUint32(at + 34 + 4 * b, true);
      block.high = file.getUint8(at + 66 + b);
      block.scales = file.getUint8(at + 74 + b);
    },
    write(file, at, b, block) {
      file.setUint32(at + 2 + 4 * b, block.low[0], true);
      file.setUint32(at + 34 + 4 * b, block.signs, true);
      file.setUint8(at + 66 + b, block.high);
      file.setUint8(at + 74 + b, block.scales);
    },
  }),
  gridFormat({
    name: "IQ3_XXS",
    type: 18,
    grid: "iq3_xxs",
    bytes: 98,
    read(file, at, b, block) {
      for (let w = 0; w < 2; w++) block.low[w] = file.getUint32(at + 2 + 8 * b + 4 * w, true);
      readSignsAndScale(file, at + 66 + 4 * b, block);
    },
    write(file, at, b, block) {
      for (let w = 0; w < 2; w++) file.setUint32(at + 2 + 8 * b + 4 * w, block.low[w], true);
      writeSignsAndScale(file, at + 66 + 4 * b, block);
    },
  }),
  gridFormat({
    name: "IQ3_S",
    type: 21,
    grid: "iq3_s",
    bytes: 110,
    read(file, at, b, block) {
      for (let w = 0; w < 2; w++) block.low[w] = file.getUint32(at + 2 + 8 * b + 4 * w, true);
      block.high = file.getUint8(at + 66 + b);
      block.signs = file.getUint32(at + 74 + 4 * b, true);
      block.scales = file.getUint8(at + 106 + (b >> 1)) >> (4 * (b & 1)) & 15;
    },
    write(file, at, b, block) {
      for (let w = 0; w < 2; w++) file.setUint32(at + 2 + 8 * b + 4 * w, block.low[w], true);
      file.setUint8(at + 66 + b, block.high);
      file.setUint32(at + 74 + 4 * b, block.signs, true);
      const byte = at + 106 + (b >> 1);
      file.setUint8(byte, file.getUint8(byte) | block.scales << (4 * (b & 1)));
    },
  }),
];

/** Adds to seven sign bits the eighth, which makes the number of negative signs even. */
function withEighth(signs: number): number {
  let odd = signs;
  for (const shift of [4, 2, 1]) odd ^= odd >> shift;
  return signs | (odd & 1) << 7;
}

/** Reads a word with four times seven signs, and a scale in the upper bits. */
function readSignsAndScale(file: DataView, at: number, block: GridBlock): void {
  const word = file.getUint32(at, true);
  block.signs = 0;
  for (let i = 0; i < 4; i++) block.signs |= withEighth(word >>> (7 * i) & 127) << (8 * i);
  block.scales = word >>> 28;
}

function writeSignsAndScale(file: DataView, at: number, { signs, scales }: GridBlock): void {
  let word = scales << 28;
  for (let i = 0; i < 4; i++) word |= (signs >>> (8 * i) & 127) << (7 * i);
  file.setUint32(at, word, true);
}

function gridFormat({ name, type, grid, bytes, scales, read, write }: GridCodec): Format {
  const { signs } = GRIDS[grid];
  const { group, words, nibbles } = SUPER_SCALES[grid];
  const perBlock = group === 16 ? 8 : 4;
  const bits = signsWord(grid) + (signs ? 1 : 0);
  // Bytes that are copied together: `d`, or `d` and all scales.
  const [kept, from, length] = [nibbles ? nibbles[1] : 16, scales ?? 0, scales ? 8 : 2];
  const one: GridBlock = { low: new Uint32Array(2), signs: 0, high: 0, scales: 0 };
  return formatOfBlocks({
    name,
    type,
    layout: { kind: "super", bits: bits as 1 | 2 | 3, center: 0, scales: grid },
    elements: 256,
    bytes,
    unpack(file, at, planes, block) {
      const base = 4 * words * block;
      for (let b = 0; b < 8; b++) {
        read(file, at, b, one);
        const first = (8 * block + b) * bits;
        for (let w = 0; w < signsWord(grid); w++) planes.codeWords[first + w] = one.low[w];
        if (signs) planes.codeWords[first + signsWord(grid)] = one.signs;
        addHighBits(grid, planes.scaleBytes, base, b, one.high);
        if (nibbles) {
          const bit = perBlock * b;
          planes.scaleBytes[base + nibbles[0] + (bit >> 3)] |= one.scales << (bit & 7);
        }
      }
      for (let i = 0; i < length; i++) {
        planes.scaleBytes[base + kept + i] = file.getUint8(at + from + i);
      }
    },
    pack(file, at, planes, block) {
      const base = 4 * words * block;
      for (let b = 0; b < 8; b++) {
        const first = (8 * block + b) * bits;
        for (let w = 0; w < signsWord(grid); w++) one.low[w] = planes.codeWords[first + w];
        if (signs) one.signs = planes.codeWords[first + signsWord(grid)];
        one.high = highBits(grid, planes.scaleBytes, base, b);
        if (nibbles) {
          const bit = perBlock * b;
          const byte = planes.scaleBytes[base + nibbles[0] + (bit >> 3)];
          one.scales = byte >> (bit & 7) & (2 ** perBlock - 1);
        }
        write(file, at, b, one);
      }
      for (let i = 0; i < length; i++) {
        file.setUint8(at + from + i, planes.scaleBytes[base + kept + i]);
      }
    },
  });
}
