/**
 * Grids of points, the values of codes in llama.cpp's IQ1, IQ2 and IQ3 types (ggml/src/ggml-common.h and ggml-quants.c in ggml-org/llama.cpp).
 *
 * A code selects a point, which gives the magnitudes of 8 or 4 neighbouring columns; in most grids each column also has a sign bit. In some grids,
 * codes have more than 8 bits, whose upper bits are stored with the scales.
 *
 * @module
 */

import { type Grid, GRID_TABLES } from "./grid_tables.ts";

export type { Grid } from "./grid_tables.ts";

/** How the codes of a grid are stored and decoded. */
export interface GridShape {
  /** Columns per point. */
  readonly columns: 4 | 8;
  /** Number of bits of a code beyond 8. There are `256 << high` points. */
  readonly high: 0 | 1 | 2 | 3;
  /** Number of bits per block that hold these upper bits, stored with the scales. The first point has the lowest bits. */
  readonly highWidth: 0 | 4 | 8 | 16;
  /** Number of bits from one point's upper bits to the next. */
  readonly highStep: number;
  /** Values of a point's levels. A weight is `d * (integer scale + 1/2)` times the value. */
  readonly levels: Float32Array<ArrayBuffer>;
  /** Whether columns have signs. */
  readonly signs: boolean;
  /** Whether the number of negative signs among 8 columns is even, so that files store only 7 bits. */
  readonly even: boolean;
  /** Added to levels or subtracted from them, depending on a bit above those of the codes. */
  readonly shift: number;
  /** Whether each point has such a bit, or each block has one at the top. */
  readonly shiftOf: "block" | "point";
}

const TWO_BITS = Float32Array.of(8, 25, 43).map((level) => level / 4);
const THREE_BITS = Float32Array.of(4, 12, 20, 28, 36, 44, 52, 62).map((level) => level / 2);
const ODD = Float32Array.of(1, 3, 5, 7, 9, 11, 13, 15).map((level) => level * 2);
const TERNARY = Float32Array.of(-2, 0, 2);

/** Grids by name. */
export const GRIDS: Readonly<Record<Grid, GridShape>> = {
  iq2_xxs: grid(8, 0, 0, TWO_BITS, { even: true }),
  iq2_xs: grid(8, 1, 4, TWO_BITS, { even: true }),
  iq2_s: grid(8, 2, 8, TWO_BITS),
  iq3_xxs: grid(4, 0, 0, THREE_BITS, { even: true }),
  iq3_s: grid(4, 1, 8, ODD),
  iq1_s: grid(8, 3, 16, TERNARY, { signs: false, shift: 0.25 }),
  iq1_m: grid(8, 3, 16, TERNARY, { signs: false, shift: 0.25, shiftOf: "point", highStep: 4 }),
};

function grid(
  columns: GridShape["columns"],
  high: GridShape["high"],
  highWidth: GridShape["highWidth"],
  levels: GridShape["levels"],
  options: Partial<GridShape> = {},
): GridShape {
  const usual = { highStep: high, signs: true, even: false, shift: 0, shiftOf: "block" } as const;
  return { columns, high, highWidth, levels, ...usual, ...options };
}

/** The grid with this name, or undefined. */
export function gridNamed(name: string): Grid | undefined {
  return Object.hasOwn(GRIDS, name) ? name as Grid : undefined;
}

/** Decoded points by table, two per word. */
const planes = new Map<Exclude<Grid, "iq1_m">, Uint32Array<ArrayBuffer>>();

/** The shared points of a grid, which {@linkcode gridPlane} copies. */
function pointsOf(grid: Grid): Uint32Array<ArrayBuffer> {
  const table = grid === "iq1_m" ? "iq1_s" : grid;
  let plane = planes.get(table);
  if (plane === undefined) {
    const letters = atob(GRID_TABLES[table]);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
    planes.set(table, plane = new Uint32Array(bytes.buffer));
  }
  return plane;
}

/** The points as a plane of a packed tensor: two per word, the first in the low half. */
export function gridPlane(grid: Grid): Uint32Array<ArrayBuffer> {
  return pointsOf(grid).slice();
}

/** Number of words in {@linkcode gridPlane}. */
export function gridWords(grid: Grid): number {
  return 128 << GRIDS[grid].high;
}

/** Levels by grid, computed once because many tensors use them. */
const levelsOf = new Map<Grid, Uint8Array<ArrayBuffer>>();

/** The levels of every point, `[points][columns]`. The array is shared and must not be changed. */
export function gridLevels(grid: Grid): Uint8Array<ArrayBuffer> {
  const known = levelsOf.get(grid);
  if (known) return known;
  const { columns } = GRIDS[grid];
  const points = new Uint16Array(pointsOf(grid).buffer);
  const width = columns === 8 ? 2 : 3;
  const levels = new Uint8Array(points.length * columns);
  for (let p = 0, i = 0; p < points.length; p++) {
    for (let k = 0; k < columns; k++) levels[i++] = points[p] >> (width * k) & (2 ** width - 1);
  }
  levelsOf.set(grid, levels);
  return levels;
}

/** The `highWidth` bits stored with the scales of block `block` of 32 columns. The scales of its super-block begin at `at`. */
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

/** Sets these bits, which must be zero before. */
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

/** Index of point `i` of a block. Its low 8 bits are byte `i` of the block's words. */
export function pointOf(
  grid: Grid,
  words: Uint32Array,
  at: number,
  high: number,
  i: number,
): number {
  const { high: bits, highStep } = GRIDS[grid];
  return words[at + (i >> 2)] >>> (8 * (i & 3)) & 255 |
    (high >> (highStep * i) & (2 ** bits - 1)) << 8;
}

/** Position of the bit in `highBits` that says whether point `i` is shifted down. */
export function shiftBit(grid: Grid, i: number): number {
  const { high, highStep, shiftOf } = GRIDS[grid];
  return shiftOf === "block" ? 15 : highStep * i + high;
}

/** Index of the word with a block's signs, one byte per 8 columns. It is the block's last word. */
export function signsWord(grid: Grid): number {
  return GRIDS[grid].columns === 8 ? 1 : 2;
}
