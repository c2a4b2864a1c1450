/**
 * AQLM tensors as Vahe1994/AQLM stores them (method: Egiazarian et al. 2024, arXiv 2401.06118). Every 8 or 16 columns
 * of a row are stored as one signed code per book, `[rows, columns / vector, books]`, taken modulo the number of
 * entries of a book.
 *
 * @module
 */

import { type CodebookLayout, codebookShape, type PackedTensor } from "../layouts/layout.ts";
import { checkShape, emptyPacked, halves, planeBytes } from "../layouts/planes.ts";
import { checkLength } from "./transposed.ts";

/** The stored planes of one linear layer. */
export interface AqlmPlanes {
  /**
   * Signed integers, `[rows, columns / vector, books]`: one byte for codes of up to 8 bits, otherwise two bytes, little
   * endian. Only the low bits matter.
   */
  readonly codes: Uint8Array;
  /** f16 bits, `[books, 2 ** bits, 1, vector]`. */
  readonly codebooks: Uint16Array;
  /** f16 bits, one per row. */
  readonly scales: Uint16Array;
}

/** The shape of a linear layer. */
export interface AqlmShape {
  /** Number of books whose entries are added: 1 to 4. */
  readonly books: number;
  /** Bits per code: 1 to 16. Default 8. */
  readonly bits?: number;
  /** Columns per entry (`in_group_size`). Default 8. */
  readonly vector?: 8 | 16;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Name for messages. Default "tensor". */
  readonly name?: string;
}

/**
 * Converts a linear layer to the codebook layout, losslessly.
 *
 * @throws {RangeError} for an impossible shape.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example Code -1 is entry 255
 * ```ts
 * import { aqlmToPacked, decode } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const codebooks = new Uint16Array(256 * 8);
 * codebooks[255 * 8] = 0x4000; // 2
 * const shape = { books: 1, rows: 1, columns: 32 };
 * const planes = { codes: Uint8Array.of(0, 255, 0, 0), codebooks, scales: Uint16Array.of(0x3c00) };
 * assertEquals(decode(aqlmToPacked(planes, shape))[8], 2);
 * ```
 */
export function aqlmToPacked(
  planes: AqlmPlanes,
  { rows, columns, name = "tensor", ...book }: AqlmShape,
): PackedTensor {
  const layout: CodebookLayout = { kind: "codebook", ...book };
  const { books, bits, vector, entries, width, wordColumns } = codebookShape(layout);
  if (!between(books, 1, 4) || !between(bits, 1, 16) || (vector !== 8 && vector !== 16)) {
    throw new RangeError(
      `Cannot unpack "${name}": ${books} codebooks of ${bits} bits and ${vector} columns; expected 1 to 4 codebooks of 1 to 16 bits and 8 or 16 columns`,
    );
  }
  checkShape(layout, rows, columns);
  const vectors = columns / vector;
  const bytes = width / 8;
  checkLength(name, "codes", planes.codes, rows * vectors * books * bytes);
  checkLength(name, "codebooks", planes.codebooks, books * entries * vector);
  checkLength(name, "scales", planes.scales, rows);
  const t = emptyPacked(layout, rows, columns);
  const to = planeBytes(t.codes);
  const perWord = wordColumns / vector;
  for (let v = 0; v < rows * vectors; v++) {
    const word = Math.floor(v / perWord) * books;
    for (let c = 0; c < books; c++) {
      const at = 4 * (word + c) + bytes * (v % perWord);
      const from = (v * books + c) * bytes;
      for (let b = 0; b < bytes; b++) to[at + b] = planes.codes[from + b];
    }
  }
  halves(t.codebook).set(planes.codebooks);
  halves(t.scales).set(planes.scales);
  return t;
}

function between(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}
