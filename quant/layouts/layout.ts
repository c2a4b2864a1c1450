/**
 * What a packed tensor is in memory: planes of 32-bit words that a kernel (or the CPU decoder) reads.
 *
 * Every file format is turned into one of these layouts when it is loaded, without loss and without growing:
 * codes are reordered, never widened. The kernels know layouts, not formats.
 *
 * @module
 */

import type { CodeTable } from "./code_tables.ts";
import { gridNamed, gridWords } from "./grids.ts";
import { SUPER_SCALES, type SuperScales, superWords } from "./super_scales.ts";

/** How dense (unquantised) elements are stored. */
export type DenseType = "f32" | "f16" | "bf16";

/** Unquantised elements: `codes` holds them, two per word when 16-bit, low half first. */
export interface DenseLayout {
  /** The tag of the union. */
  readonly kind: "dense";
  /** Of each element. */
  readonly type: DenseType;
}

/**
 * Codes of a few bits that share a scale per group of columns.
 *
 * The value of code `q` is, by `second`:
 * - `"none"`: `scale * (q - center)`, or `scale * table[q]` where there is a table
 * - `"zero"`: `scale * (q - zero)` (a zero point per group)
 * - `"min"`: `scale * (q - center) + min` (a minimum per group, or what the middle code stands for)
 */
export interface ScalarLayout {
  /** The tag of the union. */
  readonly kind: "scalar";
  /** Width of a code. */
  readonly bits: 2 | 3 | 4 | 5 | 6 | 8;
  /** Subtracted from codes, but when `second` is "zero". */
  readonly center: number;
  /** What is stored beside each scale. */
  readonly second: "none" | "zero" | "min";
  /** Columns that share a scale, a multiple of 32; 0 means the whole row. The last group may be partial. */
  readonly group: number;
  /** How many of the codes are used: ternary formats use 3 of 4. Default: all. */
  readonly levels?: number;
  /** What 4-bit codes stand for, by name; only with second "none" and center 0. Default: themselves. */
  readonly table?: CodeTable;
}

/** Codes of vectors of neighbouring columns in additive codebooks; one scale per row. */
export interface CodebookLayout {
  /** The tag of the union. */
  readonly kind: "codebook";
  /** Books whose entries add up. */
  readonly books: number;
  /** Bits of a code, 1 to 16: a book has `2 ** bits` entries. Default 8. */
  readonly bits?: number;
  /** Columns of an entry. Default 8. */
  readonly vector?: 8 | 16;
}

/** The numbers that follow from a codebook layout. */
export interface CodebookShape extends Required<Omit<CodebookLayout, "kind">> {
  /** Of a book. */
  readonly entries: number;
  /** Bits that a code takes in memory. */
  readonly width: 8 | 16;
  /** Columns whose codes in one book are one word. */
  readonly wordColumns: number;
}

/** A codebook layout with its defaults and what follows from it. */
export function codebookShape({ books, bits = 8, vector = 8 }: CodebookLayout): CodebookShape {
  const width = bits <= 8 ? 8 : 16;
  return {
    books,
    bits,
    vector,
    entries: 2 ** bits,
    width,
    wordColumns: vector * 32 / width,
  };
}

/**
 * Codes in super-blocks: groups of 16 or 32 columns have integer scales (and minima), which one or two f16 of their
 * super-block multiply. They stay as packed as the file has them (of grids nearly); see `SUPER_SCALES`.
 *
 * The value of code `q` is `scale * (q - center) - min`, or `scale * table[q]`; or codes are points of a grid, where the scales' packing
 * has that name (`GRIDS`). Trained by the relative form only, which multiplies scale and minimum alike; a span is any multiple of 32
 * columns.
 */
export interface SuperLayout {
  /** The tag of the union. */
  readonly kind: "super";
  /** Width of a code; of grids the words of 32 columns. */
  readonly bits: 1 | 2 | 3 | 4 | 5 | 6;
  /** Subtracted from codes. */
  readonly center: number;
  /** How scales and minima are packed. */
  readonly scales: SuperScales;
  /** What 4-bit codes stand for, by name. Default: themselves. */
  readonly table?: CodeTable;
}

/**
 * Codes of a few bits where every column has scales of its own, which rows a fixed stride apart share: row `r` has those of class
 * `r mod classes` (HQQ along axis 0). The value of code `q` is `scale * (q - zero)`.
 *
 * Trained by the relative form only: an offset per class and span of columns, any multiple of 32.
 */
export interface ColumnLayout {
  /** The tag of the union. */
  readonly kind: "column";
  /** Width of a code. */
  readonly bits: 2 | 3 | 4 | 8;
  /** Rows that have scales of their own: a multiple of 4. */
  readonly classes: number;
}

/** One of the layouts that kernels can read. */
export type Layout = DenseLayout | ScalarLayout | CodebookLayout | SuperLayout | ColumnLayout;

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

/** Columns that share one scale: the super-block, the whole row for row-wise and codebook layouts, 1 for dense and column. */
export function groupColumns(layout: Layout, columns: number): number {
  if (layout.kind === "dense" || layout.kind === "column") return 1;
  if (layout.kind === "super") return SUPER_SCALES[layout.scales].columns;
  return layout.kind === "codebook" || layout.group === 0 ? columns : layout.group;
}

/** Scales in a row: `ceil(columns / group)`; 0 for dense layouts. */
export function groupsPerRow(layout: Layout, columns: number): number {
  return layout.kind === "dense" ? 0 : Math.ceil(columns / groupColumns(layout, columns));
}

/** Rows that have scales of their own: all, but for column layouts. */
export function scaleRows(layout: Layout, rows: number): number {
  return layout.kind === "column" ? layout.classes : rows;
}

/** What the columns of a tensor must be a multiple of. */
export function columnMultiple(layout: Layout): number {
  if (layout.kind === "dense") return 1;
  if (layout.kind === "codebook") return Math.max(32, codebookShape(layout).wordColumns);
  return layout.kind === "super" ? SUPER_SCALES[layout.scales].columns : 32;
}

/** Words in each plane of a `rows x columns` tensor. */
export function planeWords(
  layout: Layout,
  rows: number,
  columns: number,
): { codes: number; scales: number; codebook: number } {
  const groups = rows * groupsPerRow(layout, columns);
  switch (layout.kind) {
    case "dense": {
      const elements = rows * columns;
      return {
        codes: layout.type === "f32" ? elements : Math.ceil(elements / 2),
        scales: 0,
        codebook: 0,
      };
    }
    case "scalar":
      return {
        codes: rows * (columns / 32) * layout.bits,
        scales: layout.second === "none" ? Math.ceil(groups / 2) : groups,
        codebook: 0,
      };
    case "super": {
      const grid = gridNamed(layout.scales);
      return {
        codes: rows * (columns / 32) * layout.bits,
        scales: rows * superWords(layout.scales, columns),
        codebook: grid ? gridWords(grid) : 0,
      };
    }
    case "column":
      return {
        codes: rows * (columns / 32) * layout.bits,
        scales: 0,
        codebook: layout.classes * columns,
      };
    case "codebook": {
      const { books, entries, vector, wordColumns } = codebookShape(layout);
      return {
        codes: rows * (columns / wordColumns) * books,
        scales: Math.ceil(rows / 2),
        codebook: books * entries * vector / 2,
      };
    }
  }
}
