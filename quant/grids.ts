/**
 * Grids of points: what codes of llama.cpp's IQ1, IQ2 and IQ3 types stand for (ggml/src/ggml-common.h and ggml-quants.c in
 * ggml-org/llama.cpp).
 *
 * A code names a point, the magnitudes of 8 or 4 neighbouring columns; beside it each column has a sign bit. Codes have more than 8 bits in
 * some grids: their upper ones lie with the scales.
 *
 * @module
 */

import { type Grid, GRID_TABLES } from "./grid_tables.ts";

export type { Grid } from "./grid_tables.ts";

/** What codes in a grid mean. */
export interface GridShape {
  /** Columns of a point. */
  readonly columns: 4 | 8;
  /** Bits of a code beyond 8: there are `256 << high` points. */
  readonly high: 0 | 1 | 2 | 3;
  /** Bits with a block's scales that hold these, those of its first point lowest. */
  readonly highWidth: 0 | 4 | 8 | 16;
  /** What the levels of a point stand for, in halves of a scale: the sums of integer scale and 1/2 are of that unit. */
  readonly levels: Float32Array<ArrayBuffer>;
  /** Whether columns have signs. */
  readonly signs: boolean;
  /** Whether the negative ones among 8 columns are even in number, so that a file has 7 bits for them. */
  readonly even: boolean;
  /** Added to all levels of a block, or subtracted, as the top bit of its `highWidth` bits says. */
  readonly shift: number;
}

const TWO_BITS = Float32Array.of(8, 25, 43).map((level) => level / 4);
const THREE_BITS = Float32Array.of(4, 12, 20, 28, 36, 44, 52, 62).map((level) => level / 2);
const ODD = Float32Array.of(1, 3, 5, 7, 9, 11, 13, 15).map((level) => level * 2);
const TERNARY = Float32Array.of(-2, 0, 2);

/** By name. */
export const GRIDS: Readonly<Record<Grid, GridShape>> = {
  iq2_xxs: grid(8, 0, 0, TWO_BITS, { even: true }),
  iq2_xs: grid(8, 1, 4, TWO_BITS, { even: true }),
  iq2_s: grid(8, 2, 8, TWO_BITS),
  iq3_xxs: grid(4, 0, 0, THREE_BITS, { even: true }),
  iq3_s: grid(4, 1, 8, ODD),
  iq1_s: grid(8, 3, 16, TERNARY, { signs: false, shift: 0.25 }),
};

function grid(
  columns: GridShape["columns"],
  high: GridShape["high"],
  highWidth: GridShape["highWidth"],
  levels: GridShape["levels"],
  { signs = true, even = false, shift = 0 }: Partial<GridShape> = {},
): GridShape {
  return { columns, high, highWidth, levels, signs, even, shift };
}

/** The grid of that name, if it is one. */
export function gridNamed(name: string): Grid | undefined {
  return name in GRIDS ? name as Grid : undefined;
}

/** The points as a plane of a packed tensor: two a word, the first one low. */
export function gridPlane(grid: Grid): Uint32Array<ArrayBuffer> {
  const bytes = Uint8Array.from(atob(GRID_TABLES[grid]), (character) => character.charCodeAt(0));
  return new Uint32Array(bytes.buffer);
}

/** Words of {@linkcode gridPlane}. */
export function gridWords(grid: Grid): number {
  return 128 << GRIDS[grid].high;
}

/** The levels of every point, `[points][columns]`. */
export function gridLevels(grid: Grid): Uint8Array<ArrayBuffer> {
  const { columns } = GRIDS[grid];
  const points = new Uint16Array(gridPlane(grid).buffer);
  const width = columns === 8 ? 2 : 3;
  return Uint8Array.from(
    { length: points.length * columns },
    (_, i) => points[Math.floor(i / columns)] >> (width * (i % columns)) & (2 ** width - 1),
  );
}

/** What lies with the scales of block `block` of 32 columns: `highWidth` bits; `at` is where its super-block's scales begin. */
export function highBits(grid: Grid, scaleBytes: Uint8Array, at: number, block: number): number {
  switch (GRIDS[grid].highWidth) {
    case 0:
      return 0;
    case 4:
      return scaleBytes[at + (block >> 1)] >> (4 * (block & 1)) & 15;
    case 8:
      return scaleBytes[at + block];
    case 16:
      return scaleBytes[at + 2 * block] | scaleBytes[at + 2 * block + 1] << 8;
  }
}

/** Adds to these bits, which must be zero before. */
export function addHighBits(
  grid: Grid,
  scaleBytes: Uint8Array,
  at: number,
  block: number,
  bits: number,
): void {
  switch (GRIDS[grid].highWidth) {
    case 4:
      scaleBytes[at + (block >> 1)] |= bits << (4 * (block & 1));
      return;
    case 8:
      scaleBytes[at + block] |= bits;
      return;
    case 16:
      scaleBytes[at + 2 * block] |= bits;
      scaleBytes[at + 2 * block + 1] |= bits >> 8;
  }
}

/** Point `i` of a block: its low 8 bits are byte `i` of the block's words. */
export function pointOf(
  grid: Grid,
  words: Uint32Array,
  at: number,
  high: number,
  i: number,
): number {
  const { high: bits } = GRIDS[grid];
  return words[at + (i >> 2)] >>> (8 * (i & 3)) & 255 | (high >> (bits * i) & (2 ** bits - 1)) << 8;
}

/** The word with a block's signs, a byte for 8 columns: its last one. */
export function signsWord(grid: Grid): number {
  return GRIDS[grid].columns === 8 ? 1 : 2;
}
