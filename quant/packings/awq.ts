/**
 * AWQ checkpoints in AutoAWQ's GEMM layout (method: Lin et al. 2023, arXiv 2306.00978).
 *
 * Codes have four bits. Each word of `qweight [columns, rows / 8]` and `qzeros [groups, rows / 8]` holds eight output
 * features in the order 0, 2, 4, 6, 1, 3, 5, 7, lowest nibble first. Zero points are stored unchanged: the weight is
 * `scales * (q - zero)`.
 *
 * @module
 */

import { groupsPerRow, type PackedTensor } from "../layouts/layout.ts";
import {
  checkLength,
  codeByCode,
  packTransposed,
  type StoredWords,
  transposedLayout,
  type TransposedShape,
} from "./transposed.ts";

/** The stored planes of one linear layer. */
export interface AwqPlanes {
  /** Codes, `[columns, rows / 8]`. */
  readonly qweight: StoredWords;
  /** Zero points, `[groups, rows / 8]`. */
  readonly qzeros: StoredWords;
  /** f16 bits, `[groups, rows]`. */
  readonly scales: Uint16Array;
}

// Position of the first bit of output feature `row % 8`: the inverse of the order of features in a word.
const SHIFT = [0, 16, 4, 20, 8, 24, 12, 28] as const;

/**
 * Converts a linear layer to the scalar layout with a zero point per group, losslessly.
 *
 * @throws {RangeError} for an impossible shape or group, or a width other than 4 bits.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example Output feature 1 is in the fifth nibble
 * ```ts
 * import { awqToPacked, decode } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const packed = awqToPacked({
 *   qweight: new Int32Array(32).fill(0x00050000),
 *   qzeros: new Int32Array(1).fill(0x00020000),
 *   scales: new Uint16Array(8).fill(0x3c00),
 * }, { bits: 4, group: -1, rows: 8, columns: 32 });
 * assertEquals([...decode(packed).subarray(31, 33)], [0, 3]);
 * ```
 */
export function awqToPacked(planes: AwqPlanes, shape: TransposedShape): PackedTensor {
  const { qweight, qzeros, scales } = planes;
  const { bits, rows, columns, name = "tensor" } = shape;
  if (bits !== 4) throw new RangeError(`Cannot unpack "${name}": ${bits} bits; AWQ uses 4`);
  const layout = transposedLayout(shape);
  const groups = groupsPerRow(layout, columns);
  const words = rows / 8;
  checkLength(name, "qweight", qweight, columns * words);
  checkLength(name, "qzeros", qzeros, groups * words);
  checkLength(name, "scales", scales, groups * rows);
  const nibble = (from: StoredWords, line: number, row: number) =>
    (from[line * words + (row >>> 3)] >>> SHIFT[row & 7]) & 15;
  return packTransposed(
    layout,
    rows,
    columns,
    scales,
    (g, row) => nibble(qzeros, g, row),
    codeByCode(4, (block, row, codes) => {
      for (let k = 0; k < 32; k++) codes[k] = nibble(qweight, block * 32 + k, row);
    }),
  );
}
