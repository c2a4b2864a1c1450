/**
 * GGUF's formats with super-blocks: the K-quants, IQ4_XS and MXFP4 (ggml/src/ggml-common.h and ggml-quants.c in
 * ggml-org/llama.cpp). Codes are reordered into planes, scales stay as packed as they are.
 *
 * @module
 */

import { type BlockPlanes, formatOfBlocks } from "./block_format.ts";
import type { Format } from "./format.ts";
import type { SuperLayout } from "../layouts/layout.ts";
import { moveBits, moveNibbles, movePairs } from "../layouts/super_planes.ts";

/** Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_XS, MXFP4. */
export const GGUF_SUPER_FORMATS: readonly Format[] = [
  superFormat("Q2_K", 10, { kind: "super", bits: 2, center: 0, scales: "q2_k" }, 84, {
    scales: [[0, 0, 16], [80, 16, 4]],
    pairs: [[16, 0], [48, 4]],
  }),
  superFormat("Q3_K", 11, { kind: "super", bits: 3, center: 4, scales: "q3_k" }, 110, {
    scales: [[96, 0, 14]],
    pairs: [[32, 0], [64, 4]],
    bits: 0,
  }),
  superFormat("Q4_K", 12, { kind: "super", bits: 4, center: 0, scales: "q4_k" }, 144, {
    scales: [[0, 0, 16]],
    nibbles: [[16, 0, 1], [48, 2, 3], [80, 4, 5], [112, 6, 7]],
  }),
  superFormat("Q5_K", 13, { kind: "super", bits: 5, center: 0, scales: "q4_k" }, 176, {
    scales: [[0, 0, 16]],
    nibbles: [[48, 0, 1], [80, 2, 3], [112, 4, 5], [144, 6, 7]],
    bits: 16,
  }),
  superFormat("Q6_K", 14, { kind: "super", bits: 6, center: 32, scales: "q6_k" }, 210, {
    scales: [[192, 0, 18]],
    nibbles: [[0, 0, 2], [32, 1, 3], [64, 4, 6], [96, 5, 7]],
    pairs: [[128, 0], [160, 4]],
  }),
  superFormat(
    "IQ4_XS",
    23,
    { kind: "super", bits: 4, center: 0, scales: "iq4_xs", table: "iq4_nl" },
    136,
    { scales: [[0, 0, 8]], codes: 8 },
  ),
  formatOfBlocks({
    name: "MXFP4",
    type: 39,
    layout: { kind: "super", bits: 4, center: 0, scales: "e8m0", table: "mxfp4" },
    elements: 32,
    bytes: 17,
    unpack(file, at, { codeWords, scaleBytes, columns }, block) {
      scaleBytes[paddedByte(block, columns)] = file.getUint8(at);
      for (let i = 0; i < 4; i++) codeWords[block * 4 + i] = file.getUint32(at + 1 + 4 * i, true);
    },
    pack(file, at, { codeWords, scaleBytes, columns }, block) {
      file.setUint8(at, scaleBytes[paddedByte(block, columns)]);
      for (let i = 0; i < 4; i++) file.setUint32(at + 1 + 4 * i, codeWords[block * 4 + i], true);
    },
  }),
];

/** Positions of the parts of a super-block. Byte positions are within the file's super-block; blocks have 32 columns. */
interface Map256 {
  /** `[file, plane, length]` in bytes. */
  readonly scales: readonly (readonly [number, number, number])[];
  /** `[file, block of the low halves, block of the high halves]`. */
  readonly nibbles?: readonly (readonly [number, number, number])[];
  /** `[file, first of four blocks]`: the low plane of 2-bit and 3-bit codes, the high plane of 6-bit codes. */
  readonly pairs?: readonly (readonly [number, number])[];
  /** Position of the top bits of all blocks, for 3-bit and 5-bit codes. */
  readonly bits?: number;
  /** Position of codes that are stored as in the planes. */
  readonly codes?: number;
}

function superFormat(
  name: string,
  type: number,
  layout: SuperLayout,
  bytes: number,
  map: Map256,
): Format {
  const { bits } = layout;
  const scaleBytes = Math.ceil(map.scales.reduce((sum, [, , length]) => sum + length, 0) / 4) * 4;
  const pairsAt = bits === 6 ? 4 : 0;
  // Flat arrays for speed, because a model has millions of blocks.
  const [scales, nibbles, pairs] = [map.scales, map.nibbles ?? [], map.pairs ?? []]
    .map((list) => Uint16Array.from(list.flat()));
  const move = (
    file: DataView,
    at: number,
    planes: BlockPlanes,
    block: number,
    write: boolean,
  ): void => {
    const words = planes.codeWords;
    const first = block * 8 * bits;
    for (let m = 0; m < scales.length; m += 3) {
      copyBytes(
        file,
        at + scales[m],
        planes.scaleBytes,
        block * scaleBytes + scales[m + 1],
        scales[m + 2],
        write,
      );
    }
    for (let m = 0; m < nibbles.length; m += 3) {
      const [low, high] = [first + nibbles[m + 1] * bits, first + nibbles[m + 2] * bits];
      moveNibbles(file, at + nibbles[m], words, low, high, write);
    }
    for (let m = 0; m < pairs.length; m += 2) {
      movePairs(file, at + pairs[m], words, first + pairs[m + 1] * bits + pairsAt, bits, write);
    }
    if (map.bits !== undefined) {
      moveBits(file, at + map.bits, words, first + bits - 1, bits, write);
    }
    if (map.codes !== undefined) {
      copyBytes(file, at + map.codes, planes.codes, 4 * first, 128, write);
    }
  };
  return formatOfBlocks({
    name,
    type,
    layout,
    elements: 256,
    bytes,
    unpack: (file, at, planes, block) => move(file, at, planes, block, false),
    pack: (file, at, planes, block) => move(file, at, planes, block, true),
  });
}

function copyBytes(
  file: DataView,
  at: number,
  plane: Uint8Array,
  to: number,
  length: number,
  write: boolean,
): void {
  if (write) { for (let i = 0; i < length; i++) file.setUint8(at + i, plane[to + i]); }
  else for (let i = 0; i < length; i++) plane[to + i] = file.getUint8(at + i);
}

/** Position of a block's exponent byte. Rows are padded to words. */
function paddedByte(block: number, columns: number): number {
  const perRow = columns / 32;
  return Math.floor(block / perRow) * Math.ceil(perRow / 4) * 4 + block % perRow;
}
