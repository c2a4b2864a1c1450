/**
 * A packed tensor in memory: planes of 32-bit words that a kernel or the CPU decoder reads.
 *
 * Every file format is converted to one of these layouts when it is loaded, losslessly and without growing: codes are
 * reordered, never widened. Kernels handle layouts, not formats.
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
 * - dense: row-major elements; `f32` one per word, `f16`/`bf16` two per word (`columns` is then even).
 * - scalar: per row, per block of 32 columns, `bits` words (`columns` is a multiple of 32). A power-of-two width `b`
 *   has `b` words per block; quad `t` (columns 4t..4t+3, t = 0..7) is in word `t % b` at bit `b * floor(t / b)` of each
 *   of its four bytes (column 4t in the lowest byte). For b = 8 that is plain byte order. Three-bit codes are a plane
 *   of the low two bits (two words), followed by one word with the top bit of quad `t` at bit `t` of each byte.
 *   Five-bit codes are a 4-bit plane followed by such a word, and six-bit codes a 4-bit plane followed by a 2-bit plane
 *   of the top bits.
 * - super: as scalar; columns are a multiple of the super-block. In grid formats, the words of a block are the low
 *   bytes of its codes (byte `i` belongs to point `i`: one word for 8-column points, two for 4-column points), then its
 *   signs if it has any, with bit `k` for column `k`.
 * - column: as scalar.
 * - codebook: per row, per word of codes (4 vectors, or 2 if codes have more than 8 bits), `books` words. Byte (or
 *   half) `j` of word `c` is the code of the word's vector `j` in book `c`. Bits beyond the width of a code are
 *   ignored.
 *
 * `scales` (f16, low half first)
 * - dense, column: empty.
 * - scalar, second "none": f16 at flat index `row * groups + g`, two per word.
 * - scalar, otherwise: one word per (row, group): f16 scale in the low half, f16 zero or min in the high half.
 * - super: per row `superWords` words, see `SUPER_SCALES`.
 * - codebook: one f16 per row, two per word.
 *
 * `codebook`, values shared by several rows
 * - codebook: f16 pairs, `[books][entries][vector]`.
 * - column: one word per (class, column): f16 scale in the low half, f16 zero point in the high half.
 * - super, grid formats: the points, two per word; see `gridPlane`.
 * - otherwise empty.
 */
export interface PackedTensor {
  /** Layout that defines how to read the planes. */
  readonly layout: Layout;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Elements or codes; see above. */
  readonly codes: Uint32Array<ArrayBuffer>;
  /** f16 scales, zero points and minima. */
  readonly scales: Uint32Array<ArrayBuffer>;
  /** Values shared by several rows. Empty except for codebook and column layouts and grid formats. */
  readonly codebook: Uint32Array<ArrayBuffer>;
}

/** Whether elements are codes with scales. True for all layouts except dense. */
export function isQuantised(layout: Layout): boolean {
  return rulesOf(layout).isQuantised;
}

/** Whether scales can be trained only in the relative form, with one offset per 32 columns or any multiple of that. */
export function isRelativeOnly(layout: Layout): boolean {
  return rulesOf(layout).isRelativeOnly;
}

/** Whether scales are integers, which can change only through the factors of their super-block. */
export function hasIntegerScales(layout: Layout): boolean {
  return rulesOf(layout).hasIntegerScales;
}

/** The element type of a dense layout; undefined for all others. */
export function elementType(layout: Layout): ElementType | undefined {
  return rulesOf(layout).elementType(layout);
}

/** Whether a zero point or minimum is stored beside each scale. */
export function isPaired(layout: Layout): boolean {
  return rulesOf(layout).isPaired(layout);
}

/**
 * Number of columns that share one scale: the super-block, the whole row for row-wise and codebook layouts, 1 for dense
 * and column layouts.
 */
export function groupColumns(layout: Layout, columns: number): number {
  return rulesOf(layout).groupColumns(layout, columns);
}

/** Number of scales per row: `ceil(columns / group)`; 0 for dense layouts. */
export function groupsPerRow(layout: Layout, columns: number): number {
  return rulesOf(layout).groupsPerRow(layout, columns);
}

/** Number of rows with their own scales: all rows, except in column layouts. */
export function scaleRows(layout: Layout, rows: number): number {
  return rulesOf(layout).scaleRows(layout, rows);
}

/** Number of rows after which the scales repeat: the classes of column layouts. Undefined if every row has its own. */
export function rowPeriod(layout: Layout): number | undefined {
  return rulesOf(layout).rowPeriod(layout);
}

/** The number that the columns of a tensor must be a multiple of. */
export function columnMultiple(layout: Layout): number {
  return rulesOf(layout).columnMultiple(layout);
}

/** Number of words in each plane of a `rows x columns` tensor. */
export function planeWords(
  layout: Layout,
  rows: number,
  columns: number,
): { codes: number; scales: number; codebook: number } {
  return rulesOf(layout).planeWords(layout, rows, columns);
}
