/**
 * The order of rows within a head. The two elements of a rotated pair are adjacent in GGUF, and half a head apart in Hugging Face folders. Whole rows
 * are moved, so packed tensors are reordered without loss.
 *
 * @module
 */

import { type PackedTensor, planeWords } from "../../quant/layouts/layout.ts";
import { halves } from "../../quant/layouts/planes.ts";
import type { Weight } from "../architecture.ts";

/**
 * Number of heads of a weight that must be reordered for a file in which the elements of a rotated pair are adjacent (GGUF) or not. 0 if nothing must
 * be reordered.
 */
export function headsToReorder({ rotary }: Pick<Weight, "rotary">, interleaved: boolean): number {
  return rotary && rotary.interleaved !== interleaved ? rotary.heads : 0;
}

/**
 * Returns a copy of a tensor with the rows of each head reordered.
 *
 * @param interleave True to make pairs adjacent that are half a head apart, false for the inverse.
 * @throws {RangeError} when the number of rows is not a multiple of `2 * heads`.
 */
export function reorderHeads(t: PackedTensor, heads: number, interleave: boolean): PackedTensor {
  const head = t.rows / heads;
  if (head % 2 !== 0) {
    throw new RangeError(
      `Cannot reorder ${t.rows} rows as ${heads} heads: a head has ${head} rows`,
    );
  }
  const sideBySide = (row: number) => {
    const within = row % head;
    return row - within + (within < head / 2 ? within * 2 : (within - head / 2) * 2 + 1);
  };
  const move = <Plane extends Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>>(
    from: Plane,
    to: Plane,
    perRow: number,
  ) => {
    for (let row = 0; row < t.rows; row++) {
      const [source, target] = interleave ? [row, sideBySide(row)] : [sideBySide(row), row];
      to.set(from.subarray(source * perRow, (source + 1) * perRow), target * perRow);
    }
    return to;
  };
  const codes = move(t.codes, t.codes.slice(), t.codes.length / t.rows);
  const scales = t.scales.slice();
  // A word holds the scales of two rows, so single rows are moved as half words.
  const perRow = planeWords(t.layout, 2, t.columns).scales;
  if (perRow > 0) move(halves(t.scales), halves(scales), perRow);
  return { ...t, codes, scales };
}
