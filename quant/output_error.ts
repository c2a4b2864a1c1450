/**
 * The error that other weights make in a layer's outputs.
 *
 * @module
 */

import type { InputStatistics } from "./input_statistics.ts";

/**
 * `sqrt(tr(E H Eᵀ) / tr(W H Wᵀ))` for weights W, their error E and the second moments H of the inputs: the root mean squared error of the
 * outputs over their root mean square, 0 where nothing differs.
 *
 * @param rows Of which at most 256, evenly spread, are looked at: each takes `columns²` operations
 *
 * @example Weights that were lost altogether
 * ```ts
 * import { outputError } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const statistics = { columns: 2, tokens: 1, moments: Float32Array.of(1, 1, 1, 1), magnitudes: Float32Array.of(1, 1) };
 * assertEquals(outputError(Float32Array.of(1, 2), Float32Array.of(0, 0), 1, 2, statistics), 1);
 * assertEquals(outputError(Float32Array.of(1, 2), Float32Array.of(2, 1), 1, 2, statistics), 0);
 * ```
 */
export function outputError(
  weights: Float32Array,
  instead: Float32Array,
  rows: number,
  columns: number,
  { moments }: InputStatistics,
): number {
  const step = Math.ceil(rows / 256);
  let error = 0;
  let power = 0;
  const difference = new Float64Array(columns);
  for (let row = 0; row < rows; row += step) {
    const w = weights.subarray(row * columns, (row + 1) * columns);
    for (let k = 0; k < columns; k++) difference[k] = w[k] - instead[row * columns + k];
    for (let i = 0; i < columns; i++) {
      let ofDifference = 0;
      let ofWeights = 0;
      for (let j = 0, at = i * columns; j < columns; j++, at++) {
        ofDifference += moments[at] * difference[j];
        ofWeights += moments[at] * w[j];
      }
      error += difference[i] * ofDifference;
      power += w[i] * ofWeights;
    }
  }
  return error > 0 ? Math.sqrt(error / power) : 0;
}
