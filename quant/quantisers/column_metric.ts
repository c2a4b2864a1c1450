/**
 * The cost of an error e of a weight row: `e H eᵀ`.
 *
 * @module
 */

import { type Computation, sharedFloats, withoutProducts } from "./computation.ts";
import type { InputStatistics } from "./input_statistics.ts";

/** A symmetric positive matrix H over the columns of a weight, divided by the mean of its diagonal. */
export interface ColumnMetric {
  /** Number of columns of the weight. */
  readonly columns: number;
  /** Computes `e H`, row-major, for row-major `rows x columns` values. f32 precision is enough. */
  times(e: Float64Array, rows: number): Computation<Float64Array>;
  /** Computes `width` columns of `e H` from `first` on, row-major. `changed` is the range of columns of `e` that changed since the last call. */
  part(
    e: Float64Array,
    rows: number,
    first: number,
    width: number,
    changed?: readonly [number, number],
  ): Computation<Float64Array>;
  /** The block of H for `width` columns from `first` on, row-major. */
  block(first: number, width: number): Float64Array;
  /** Adds columns `[from, to)` of `delta H` to `products` at `at`. `delta` starts at column `first`; all other columns of the change are zero. */
  add(
    delta: Float64Array,
    first: number,
    products: Float64Array,
    at: number,
    from: number,
    to: number,
  ): void;
}

/** H = 1: the squared error of the weights themselves. */
export function plainMetric(columns: number): ColumnMetric {
  return {
    columns,
    times: (e) => withoutProducts(() => e.slice()),
    part: (e, rows, first, width) =>
      withoutProducts(() =>
        Float64Array.from(
          { length: rows * width },
          (_, i) => e[Math.floor(i / width) * columns + first + i % width],
        )
      ),
    block: (_, width) => {
      const h = new Float64Array(width * width);
      for (let k = 0; k < width; k++) h[k * width + k] = 1;
      return h;
    },
    add: (delta, first, products, at, from) => {
      for (let k = 0; k < delta.length; k++) products[at + first - from + k] += delta[k];
    },
  };
}

/**
 * The squared error of the layer's outputs over the calibration text, plus `damping` times the squared error of the weights, so that errors also
 * cost something for inputs that are always zero in the text. Takes `8 · columns²` bytes.
 *
 * @throws {TypeError} when the statistics have a different number of columns.
 * @throws {RangeError} for moments that are not finite.
 */
export function outputMetric(
  { columns: counted, moments }: InputStatistics,
  columns: number,
  damping = 0.01,
): ColumnMetric {
  if (counted !== columns || moments.length !== columns * columns) {
    throw new TypeError(
      `Cannot use statistics of ${counted} inputs (${moments.length} moments) for a weight of ${columns} columns`,
    );
  }
  let trace = 0;
  for (let k = 0; k < columns; k++) trace += moments[k * columns + k];
  if (!moments.every(Number.isFinite) || trace < 0) {
    throw new RangeError("Cannot use statistics of inputs: their moments are not finite");
  }
  if (trace === 0) return plainMetric(columns);
  const h = sharedFloats(columns * columns);
  for (let i = 0; i < h.length; i++) h[i] = moments[i] * columns / trace;
  for (let k = 0; k < columns; k++) h[k * columns + k] += damping;
  function* part(
    e: Float64Array,
    rows: number,
    first: number,
    width: number,
    changed?: readonly [number, number],
  ): Computation<Float64Array> {
    const out = sharedFloats(rows * width);
    yield {
      a: { values: e, stride: columns, first: 0, count: rows },
      b: { values: h, stride: columns, first, count: width },
      from: 0,
      to: columns,
      out,
      ...(changed ? { changed } : {}),
    };
    return out;
  }
  return {
    columns,
    times: (e, rows) => part(e, rows, 0, columns),
    part,
    block(first, width): Float64Array {
      return Float64Array.from(
        { length: width * width },
        (_, i) => h[(first + Math.floor(i / width)) * columns + first + i % width],
      );
    },
    add(delta, first, products, at, from, to): void {
      for (let k = 0; k < delta.length; k++) {
        const e = delta[k];
        const row = (first + k) * columns;
        for (let j = from; j < to; j++) products[at + j - from] += e * h[row + j];
      }
    },
  };
}
