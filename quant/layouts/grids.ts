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
  /** From those of one point to those of the next. */
  readonly highStep: number;
  /** What a point's levels stand for: a weight is `d * (integer scale + 1/2)` times that. */
  readonly levels: Float32Array<ArrayBuffer>;
  /** Whether columns have signs. */
  readonly signs: boolean;
  /** Whether the negative ones among 8 columns are even in number, so that a file has 7 bits for them. */
  readonly even: boolean;
  /** Added to levels, or subtracted, as a bit above those of codes says. */
  readonly shift: number;
  /** Whether each point has such a bit, or the block one at its top. */
  readonly shiftOf: "block" | "point";
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

/** The grid of that name, if it is one. */
export function gridNamed(name: string): Grid | undefined {
  return Object.hasOwn(GRIDS, name) ? name as Grid : undefined;
}

/** Points by table, two a word: read once. */
const planes = new Map<Exclude<Grid, "iq1_m">, Uint32Array<ArrayBuffer>>();

/** What {@linkcode gridPlane} copies. */
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

/** The points as a plane of a packed tensor: two a word, the first one low. */
export function gridPlane(grid: Grid): Uint32Array<ArrayBuffer> {
  return pointsOf(grid).slice();
}

/** Words of {@linkcode gridPlane}. */
export function gridWords(grid: Grid): number {
  return 128 << GRIDS[grid].high;
}

/** By grid: made once, as rows of many tensors ask for them. */
const levelsOf = new Map<Grid, Uint8Array<ArrayBuffer>>();

/** The levels of every point, `[points][columns]`; everyone has the same array, which is not to be changed. */
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
  const { high: bits, highStep } = GRIDS[grid];
  return words[at + (i >> 2)] >>> (8 * (i & 3)) & 255 |
    (high >> (highStep * i) & (2 ** bits - 1)) << 8;
}

/** The bit among those of `highBits` that says whether point `i` is shifted down. */
export function shiftBit(grid: Grid, i: number): number {
  const { high, highStep, shiftOf } = GRIDS[grid];
  return shiftOf === "block" ? 15 : highStep * i + high;
}

/** The word with a block's signs, a byte for 8 columns: its last one. */
export function signsWord(grid: Grid): number {
  return GRIDS[grid].columns === 8 ? 1 : 2;
}
