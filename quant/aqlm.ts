/**
 * AQLM tensors as Vahe1994/AQLM stores them (Egiazarian et al. 2024, arXiv 2401.06118, is the method): every 8 columns of a row
 * are one signed code per book, `[rows, columns / 8, books]`, taken modulo 256.
 *
 * @module
 */

import type { CodebookLayout, PackedTensor } from "./layout.ts";
import { checkShape, emptyPacked, halves, planeBytes } from "./planes.ts";
import { checkLength } from "./transposed.ts";

/** What a file has of one linear layer. */
export interface AqlmPlanes {
  /** Signed bytes, `[rows, columns / 8, books]`; the sign does not matter. */
  readonly codes: Uint8Array;
  /** f16 bits, `[books, 256, 1, 8]`. */
  readonly codebooks: Uint16Array;
  /** f16 bits, one per row. */
  readonly scales: Uint16Array;
}

/** Shape of a linear layer. */
export interface AqlmShape {
  /** Books whose entries add up: 1 or 2. */
  readonly books: number;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** For messages. Default "tensor". */
  readonly name?: string;
}

/**
 * The planes of a linear layer in the codebook layout, without loss.
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
  { codes, codebooks, scales }: AqlmPlanes,
  { books, rows, columns, name = "tensor" }: AqlmShape,
): PackedTensor {
  const layout: CodebookLayout = { kind: "codebook", books };
  checkShape(layout, rows, columns);
  const vectors = columns / 8;
  checkLength(name, "codes", codes, rows * vectors * books);
  checkLength(name, "codebooks", codebooks, books * 256 * 8);
  checkLength(name, "scales", scales, rows);
  const t = emptyPacked(layout, rows, columns);
  const bytes = planeBytes(t.codes);
  for (let v = 0; v < rows * vectors; v++) {
    // Four vectors are a block: one word a book.
    const to = (v >>> 2) * 4 * books + (v & 3);
    for (let c = 0; c < books; c++) bytes[to + 4 * c] = codes[v * books + c];
  }
  halves(t.codebook).set(codebooks);
  halves(t.scales).set(scales);
  return t;
}
