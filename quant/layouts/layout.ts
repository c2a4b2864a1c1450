/**
 * What a packed tensor is in memory: planes of 32-bit words that a kernel (or the CPU decoder) reads.
 *
 * Every file format is turned into one of these layouts when it is loaded, without loss and without growing:
 * codes are reordered, never widened. The kernels know layouts, not formats.
 *
 * @module
 */

import { type Layout, rulesOf } from "./layout_table.ts";
import type { ElementType } from "./layout_rules.ts";

export { type CodebookLayout, type CodebookShape, codebookShape } from "./codebook_layout.ts";
export type { ColumnLayout } from "./column_layout.ts";
export type { DenseLayout, DenseType } from "./dense_layout.ts";
export type { Layout } from "./layout_table.ts";
export type { ScalarLayout } from "./scalar_layout.ts";
export type { SuperLayout } from "./super_layout.ts";

/**
 * A tensor of `rows x columns` (output features x input features, row-major) in packed form.
 *
 * `codes`
 * - dense: row-major elements; `f32` one per word, `f16`/`bf16` two per word (`columns` is even then).
 * - scalar: per row, per block of 32 columns, `bits` words (`columns` is a multiple of 32). A power-of-two width `b`
 *   has `b` words a block; quad `t` (columns 4t..4t+3, t = 0..7) is in word `t % b` at bit `b * floor(t / b)` of each
 *   of its four bytes (column 4t in the lowest byte). For b = 8 that is plain byte order. Three bits are the 2-bit
 *   plane of the low two bits (two words) followed by one word with the top bit of quad `t` at bit `t` of each byte; five
 *   bits are a 4-bit plane followed by such a word, six bits a 4-bit plane followed by a 2-bit plane of the top bits.
 * - super: as scalar; columns are a multiple of the super-block. Of grids a block's words are the low bytes of its codes (byte `i` of
 *   point `i`: a word of 8-column points, two of 4-column ones), then its signs, bit `k` of column `k`, where it has any.
 * - column: as scalar.
 * - codebook: per row, per word of codes (of 4 vectors; of 2 where codes have more than 8 bits), `books` words; byte (half) `j`
 *   of word `c` is the code of the word's vector `j` in book `c`. Bits beyond those of a code are ignored.
 *
 * `scales` (f16 in the low half first)
 * - dense, column: empty.
 * - scalar, second "none": f16 at flat index `row * groups + g`, two per word.
 * - scalar, otherwise: one word per (row, group): f16 scale in the low half, f16 zero or min in the high half.
 * - super: per row `superWords` words, see `SUPER_SCALES`.
 * - codebook: f16 per row, two per word.
 *
 * `codebook`, what rows share
 * - codebook: f16 pairs, `[books][entries][vector]`.
 * - column: one word per (class, column): f16 scale in the low half, f16 zero point in the high half.
 * - super, of grids: the points, two a word; see `gridPlane`.
 * - else empty.
 */
export interface PackedTensor {
  /** How to read the planes. */
  readonly layout: Layout;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Elements or codes, see above. */
  readonly codes: Uint32Array<ArrayBuffer>;
  /** f16 scales, zero points, minima. */
  readonly scales: Uint32Array<ArrayBuffer>;
  /** What rows share; empty but for codebook and column layouts, and grids. */
  readonly codebook: Uint32Array<ArrayBuffer>;
}

/** Whether elements are codes under scales: in all layouts but the dense one. */
export function isQuantised(layout: Layout): boolean {
  return rulesOf(layout).isQuantised;
}

/** Whether only the relative form trains its scales: an offset multiplies the weights of any multiple of 32 columns. */
export function isRelativeOnly(layout: Layout): boolean {
  return rulesOf(layout).isRelativeOnly;
}

/** Whether scales are integers, which change only together with the factors of their super-block. */
export function hasIntegerScales(layout: Layout): boolean {
  return rulesOf(layout).hasIntegerScales;
}

/** The type of elements that are no codes: of the dense layout. */
export function elementType(layout: Layout): ElementType | undefined {
  return rulesOf(layout).elementType(layout);
}

/** Whether a zero point or minimum is stored beside each scale. */
export function isPaired(layout: Layout): boolean {
  return rulesOf(layout).isPaired(layout);
}

/** Columns that share one scale: the super-block, the whole row for row-wise and codebook layouts, 1 for dense and column. */
export function groupColumns(layout: Layout, columns: number): number {
  return rulesOf(layout).groupColumns(layout, columns);
}

/** Scales in a row: `ceil(columns / group)`; 0 for dense layouts. */
export function groupsPerRow(layout: Layout, columns: number): number {
  return rulesOf(layout).groupsPerRow(layout, columns);
}

/** Rows that have scales of their own: all, but for column layouts. */
export function scaleRows(layout: Layout, rows: number): number {
  return rulesOf(layout).scaleRows(layout, rows);
}

/** How many rows on the scales are the same again: the classes of column layouts; undefined where every row has its own. */
export function rowPeriod(layout: Layout): number | undefined {
  return rulesOf(layout).rowPeriod(layout);
}

/** What the columns of a tensor must be a multiple of. */
export function columnMultiple(layout: Layout): number {
  return rulesOf(layout).columnMultiple(layout);
}

/** Words in each plane of a `rows x columns` tensor. */
export function planeWords(
  layout: Layout,
  rows: number,
  columns: number,
): { codes: number; scales: number; codebook: number } {
  return rulesOf(layout).planeWords(layout, rows, columns);
}
