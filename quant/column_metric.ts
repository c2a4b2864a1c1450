/**
 * What an error of a weight row costs: `e H eᵀ` over the columns.
 *
 * @module
 */

import type { InputStatistics } from "./input_statistics.ts";
import { rowProducts } from "./row_products.ts";

/** A symmetric positive matrix H over the columns of a weight, in units of its mean diagonal. */
export interface ColumnMetric {
  /** Columns of the weight. */
  readonly columns: number;
  /** Row-major `e H` of row-major `rows x columns` values. */
  times(e: Float64Array, rows: number): Float64Array;
  /** H among `width` columns from `first` on, row-major. */
  block(first: number, width: number): Float64Array;
  /** Adds `delta H` to the row of `products` that starts at `at`, where `delta` stands at column `first` and zeros elsewhere. */
  add(delta: Float64Array, first: number, products: Float64Array, at: number): void;
}

/** H = 1: the squared error of the weights themselves. */
export function plainMetric(columns: number): ColumnMetric {
  return {
    columns,
    times: (e) => e.slice(),
    block: (_, width) => {
      const h = new Float64Array(width * width);
      for (let k = 0; k < width; k++) h[k * width + k] = 1;
      return h;
    },
    add: (delta, first, products, at) => {
      for (let k = 0; k < delta.length; k++) products[at + first + k] += delta[k];
    },
  };
}

/**
 * The squared error of the layer's outputs over the calibration text, plus `damping` times the squared error of the weights: inputs
 * that the text did not show shall not be free. Takes 8 bytes for each of `columns²`.
 *
 * @throws {TypeError} when the statistics are of other columns. @throws {RangeError} for moments that are not finite.
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
  const h = Float64Array.from(moments, (value) => value * columns / trace);
  for (let k = 0; k < columns; k++) h[k * columns + k] += damping;
  return {
    columns,
    times(e, rows): Float64Array {
      const products = new Float64Array(rows * columns);
      const a = { values: e, stride: columns, first: 0, count: rows };
      const b = { values: h, stride: columns, first: 0, count: columns };
      rowProducts(a, b, 0, columns, products);
      return products;
    },
    block(first, width): Float64Array {
      return Float64Array.from(
        { length: width * width },
        (_, i) => h[(first + Math.floor(i / width)) * columns + first + i % width],
      );
    },
    add(delta, first, products, at): void {
      for (let k = 0; k < delta.length; k++) {
        const e = delta[k];
        for (let j = 0, from = (first + k) * columns; j < columns; j++) {
          products[at + j] += e * h[from + j];
        }
      }
    },
  };
}
