/**
 * The scales and minima of super-blocks, packed as in the file (ggml/src/ggml-common.h in ggml-org/llama.cpp).
 *
 * @module
 */

import { float16ToNumber } from "./float16.ts";
import type { Grid } from "./grids.ts";

/**
 * How the scales of a super-block are packed.
 * - `"q2_k"`: 16 bytes, each with a scale in the low half and a minimum in the high half; then f16 `d`, `dmin`.
 * - `"q3_k"`: 12 bytes with 16 scales of 6 bits, minus 32; then f16 `d` and two bytes of padding.
 * - `"q4_k"`: f16 `d`, `dmin`; then 12 bytes with 8 scales and 8 minima of 6 bits.
 * - `"q6_k"`: 16 signed bytes; then f16 `d` and two bytes of padding.
 * - `"iq4_xs"`: f16 `d`; 8 scales of 6 bits, minus 32: two bytes with their top 2 bits, four bytes with their low 4.
 * - `"e8m0"`: one byte per 32 columns, the exponent of a power of two plus 127; rows are padded to words.
 * - grids: the upper bits of codes (see `grids.ts`), the scales of 4 bits, f16 `d` and two bytes of padding. `"iq1_s"`
 *   has 3 bits of scale and a sign above the bits of the codes. In `"iq1_m"`, the codes are followed by four 16-bit
 *   words, each with four scales of 3 bits and, above them, a quarter of `d`. In some of these files the scales lie
 *   between the codes; they are moved here.
 */
export type SuperScales = "q2_k" | "q3_k" | "q4_k" | "q6_k" | "iq4_xs" | "e8m0" | Grid;

/** The sizes of one packing. */
export interface SuperScaleShape {
  /** Columns per super-block. */
  readonly columns: number;
  /** Columns that share an integer scale. */
  readonly group: 16 | 32;
  /** 32-bit words per super-block; 0 if it is a single byte. */
  readonly words: number;
  /** Whether groups have minima. */
  readonly minima: boolean;
  /** Least and greatest integer scale. */
  readonly range: readonly [number, number];
  /** Added to integer scales. Default 0. */
  readonly plus?: number;
  /** Byte positions of the 4-bit scales and of `d`, for packings that differ in nothing else. */
  readonly nibbles?: readonly [number, number];
}

const FOUR_BITS = { columns: 256, minima: false, range: [0, 15], plus: 0.5 } as const;

/** Sizes by packing. */
export const SUPER_SCALES: Readonly<Record<SuperScales, SuperScaleShape>> = {
  q2_k: { columns: 256, group: 16, words: 5, minima: true, range: [0, 15] },
  q3_k: { columns: 256, group: 16, words: 4, minima: false, range: [-32, 31] },
  q4_k: { columns: 256, group: 32, words: 4, minima: true, range: [0, 63] },
  q6_k: { columns: 256, group: 16, words: 5, minima: false, range: [-128, 127] },
  iq4_xs: { columns: 256, group: 32, words: 2, minima: false, range: [-32, 31] },
  e8m0: { columns: 32, group: 32, words: 0, minima: false, range: [0, 255] },
  iq2_xxs: { ...FOUR_BITS, group: 32, words: 2, nibbles: [0, 4] },
  iq2_xs: { ...FOUR_BITS, group: 16, words: 4, nibbles: [4, 12] },
  iq2_s: { ...FOUR_BITS, group: 16, words: 5, nibbles: [8, 16] },
  iq3_xxs: { ...FOUR_BITS, group: 32, words: 2, nibbles: [0, 4] },
  iq3_s: { ...FOUR_BITS, group: 32, words: 4, nibbles: [8, 12] },
  iq1_s: { ...FOUR_BITS, group: 32, words: 5, range: [0, 7] },
  iq1_m: { ...FOUR_BITS, group: 16, words: 6, range: [0, 7] },
};

/** Number of words for the scales of a row. */
export function superWords(scales: SuperScales, columns: number): number {
  const { columns: block, words } = SUPER_SCALES[scales];
  return words === 0 ? Math.ceil(columns / block / 4) : columns / block * words;
}

/** The scales and factors of one super-block. */
export interface SuperBlock {
  /** Bits of the f16 factor of the scales; for e8m0, the exponent byte. */
  d: number;
  /** Bits of the f16 factor of the minima; 0 if there are none. */
  dmin: number;
  /** Integer scales of the groups, signed if the packing is. */
  readonly scales: Int16Array;
  /** Integer minima of the groups. */
  readonly minima: Int16Array;
}

/** An empty super-block to read into. */
export function emptySuperBlock(packing: SuperScales): SuperBlock {
  const { columns, group } = SUPER_SCALES[packing];
  const groups = columns / group;
  return { d: 0, dmin: 0, scales: new Int16Array(groups), minima: new Int16Array(groups) };
}

/** The factor of a super-block's integer scales as a number. */
export function superFactor(packing: SuperScales, d: number): number {
  return packing === "e8m0" ? 2 ** (d - 127) : float16ToNumber(d);
}

/** Reads the super-block whose bytes start at `at`. */
export function readSuperBlock(
  packing: SuperScales,
  bytes: Uint8Array,
  at: number,
  block: SuperBlock,
): void {
  const { scales, minima } = block;
  const half = (offset: number): number => bytes[at + offset] | bytes[at + offset + 1] << 8;
  const { nibbles } = SUPER_SCALES[packing];
  if (nibbles) {
    for (let g = 0; g < scales.length; g++) {
      scales[g] = bytes[at + nibbles[0] + (g >> 1)] >> (4 * (g & 1)) & 15;
    }
    block.d = half(nibbles[1]);
    return;
  }
  switch (packing) {
    case "iq1_s":
      for (let g = 0; g < 8; g++) scales[g] = bytes[at + 2 * g + 1] >> 4 & 7;
      block.d = half(16);
      return;
    case "iq1_m":
      block.d = 0;
      for (let g = 0; g < 16; g++) {
        scales[g] = half(16 + 2 * (g >> 2)) >> (3 * (g & 3)) & 7;
        if (g % 4 === 0) block.d |= half(16 + g / 2) >> 12 << g;
      }
      return;
    case "q2_k":
      for (let g = 0; g < 16; g++) {
        scales[g] = bytes[at + g] & 15;
        minima[g] = bytes[at + g] >> 4;
      }
      block.d = half(16);
      block.dmin = half(18);
      return;
    case "q3_k":
      for (let g = 0; g < 16; g++) {
        const low = bytes[at + (g & 7)] >> (4 * (g >> 3)) & 15;
        const high = bytes[at + 8 + (g & 3)] >> (2 * (g >> 2)) & 3;
        scales[g] = (low | high << 4) - 32;
      }
      block.d = half(12);
      return;
    case "q4_k":
      for (let j = 0; j < 4; j++) {
        const [a, b, c] = [bytes[at + 4 + j], bytes[at + 8 + j], bytes[at + 12 + j]];
        scales[j] = a & 63;
        minima[j] = b & 63;
        scales[j + 4] = c & 15 | a >> 6 << 4;
        minima[j + 4] = c >> 4 | b >> 6 << 4;
      }
      block.d = half(0);
      block.dmin = half(2);
      return;
    case "q6_k":
      for (let g = 0; g < 16; g++) scales[g] = bytes[at + g] << 24 >> 24;
      block.d = half(16);
      return;
    case "iq4_xs":
      for (let g = 0; g < 8; g++) {
        const low = bytes[at + 4 + (g >> 1)] >> (4 * (g & 1)) & 15;
        scales[g] = (low | (half(2) >> (2 * g) & 3) << 4) - 32;
      }
      block.d = half(0);
      return;
    case "e8m0":
      scales[0] = 1;
      block.d = bytes[at];
  }
}

/** The inverse of {@linkcode readSuperBlock}. Integers must be in range. Padding is not changed. */
export function writeSuperBlock(
  packing: SuperScales,
  bytes: Uint8Array,
  at: number,
  block: SuperBlock,
): void {
  const { scales, minima, d, dmin } = block;
  const half = (offset: number, bits: number): void => {
    bytes[at + offset] = bits;
    bytes[at + offset + 1] = bits >> 8;
  };
  const { nibbles } = SUPER_SCALES[packing];
  if (nibbles) {
    for (let g = 0; g < scales.length; g += 2) {
      bytes[at + nibbles[0] + g / 2] = scales[g] | scales[g + 1] << 4;
    }
    half(nibbles[1], d);
    return;
  }
  switch (packing) {
    case "iq1_s":
      for (let g = 0; g < 8; g++) {
        const byte = at + 2 * g + 1;
        bytes[byte] = bytes[byte] & 0x8f | scales[g] << 4;
      }
      half(16, d);
      return;
    case "iq1_m":
      for (let g = 0; g < 16; g += 4) {
        const [a, b, c, last] = scales.subarray(g, g + 4);
        half(16 + g / 2, a | b << 3 | c << 6 | last << 9 | (d >> g & 15) << 12);
      }
      return;
    case "q2_k":
      for (let g = 0; g < 16; g++) bytes[at + g] = scales[g] | minima[g] << 4;
      half(16, d);
      half(18, dmin);
      return;
    case "q3_k":
      bytes.fill(0, at, at + 12);
      for (let g = 0; g < 16; g++) {
        const stored = scales[g] + 32;
        bytes[at + (g & 7)] |= (stored & 15) << (4 * (g >> 3));
        bytes[at + 8 + (g & 3)] |= stored >> 4 << (2 * (g >> 2));
      }
      half(12, d);
      return;
    case "q4_k":
      for (let j = 0; j < 4; j++) {
        bytes[at + 4 + j] = scales[j] | scales[j + 4] >> 4 << 6;
        bytes[at + 8 + j] = minima[j] | minima[j + 4] >> 4 << 6;
        bytes[at + 12 + j] = scales[j + 4] & 15 | (minima[j + 4] & 15) << 4;
      }
      half(0, d);
      half(2, dmin);
      return;
    case "q6_k":
      for (let g = 0; g < 16; g++) bytes[at + g] = scales[g];
      half(16, d);
      return;
    case "iq4_xs": {
      let high = 0;
      bytes.fill(0, at + 4, at + 8);
      for (let g = 0; g < 8; g++) {
        const stored = scales[g] + 32;
        bytes[at + 4 + (g >> 1)] |= (stored & 15) << (4 * (g & 1));
        high |= stored >> 4 << (2 * g);
      }
      half(0, d);
      half(2, high);
      return;
    }
    case "e8m0":
      bytes[at] = d;
  }
}
