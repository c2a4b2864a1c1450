/**
 * The error of a layer's outputs when its weights are replaced.
 *
 * @module
 */

import { type Computation, runHere, sharedFloats } from "./computation.ts";
import type { InputStatistics } from "./input_statistics.ts";

/** The greatest number of rows to examine. */
const ROWS = 256;

/**
 * `sqrt(tr(E H Eᵀ) / tr(W H Wᵀ))` for weights W, their error E and the second moments H of the inputs: the root mean
 * squared error of the outputs divided by their root mean square. 0 if the weights are equal.
 *
 * @param rows Number of rows. At most 256 of them, evenly spaced, are examined; each takes `columns²` operations.
 *
 * @example Zeros, and other weights with the same output
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
  statistics: InputStatistics,
): number {
  return runHere(outputErrorComputation(weights, instead, rows, columns, statistics));
}

/** Rows of the moments multiplied at once. */
const BLOCK = 256;

/** {@linkcode outputError} as a computation whose products the caller computes; f32 precision is enough. */
export function* outputErrorComputation(
  weights: Float32Array,
  instead: Float32Array,
  rows: number,
  columns: number,
  { moments }: InputStatistics,
): Computation<number> {
  const step = Math.ceil(rows / ROWS);
  const count = Math.ceil(rows / step);
  const x = sharedFloats(2 * count * columns); // errors, followed by weights
  const half = count * columns;
  for (let i = 0; i < half; i++) {
    const from = Math.floor(i / columns) * step * columns + i % columns;
    x[i] = weights[from] - instead[from];
    x[half + i] = weights[from];
  }
  const h = sharedFloats(BLOCK * columns);
  const products = sharedFloats(2 * count * BLOCK);
  let error = 0;
  let power = 0;
  for (let first = 0; first < columns; first += BLOCK) {
    const width = Math.min(BLOCK, columns - first);
    h.set(moments.subarray(first * columns, (first + width) * columns));
    yield {
      a: { values: x, stride: columns, first: 0, count: 2 * count },
      b: { values: h, stride: columns, first: 0, count: width },
      from: 0,
      to: columns,
      out: products,
      ...(first > 0 ? { changed: [0, 0] as const } : {}),
    };
    for (let row = 0; row < count; row++) {
      for (let j = 0; j < width; j++) {
        const at = row * columns + first + j;
        error += x[at] * products[row * width + j];
        power += x[half + at] * products[(count + row) * width + j];
      }
    }
  }
  return error > 0 ? Math.sqrt(error / power) : 0;
}
