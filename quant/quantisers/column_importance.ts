/**
 * Weights of the squared errors of columns, as in llama.cpp's importance matrix.
 *
 * @module
 */

import type { InputStatistics } from "./input_statistics.ts";

// As a fraction of the mean, so that columns whose input is always zero in the calibration text still count.
const LEAST = 0.01;

/**
 * For each column, the mean square of its input divided by the mean over all columns, plus 0.01. To first order, this is how much the squared error
 * of a weight contributes to that of the outputs. Without statistics, 1 for every column.
 *
 * @throws {TypeError} when the statistics have a different number of columns.
 * @throws {RangeError} for a moment that is negative or not finite.
 */
export function columnImportance(
  columns: number,
  statistics?: InputStatistics,
): Float32Array {
  if (!statistics) return equalImportance(columns);
  const { columns: counted, moments } = statistics;
  if (counted !== columns || moments.length !== columns * columns) {
    throw new TypeError(
      `Cannot weigh ${columns} columns by statistics of ${counted} inputs (${moments.length} moments)`,
    );
  }
  const squares = Float64Array.from({ length: columns }, (_, k) => moments[k * columns + k]);
  const mean = squares.reduce((sum, square) => sum + square, 0) / columns;
  if (!(squares.every((square) => square >= 0) && Number.isFinite(mean))) {
    throw new RangeError("Cannot weigh columns by their inputs: a mean square is not a number");
  }
  if (mean === 0) return equalImportance(columns);
  return Float32Array.from(squares, (square) => square / mean + LEAST);
}

let ones = new Float32Array(256).fill(1);

/** Equal weights of 1. The result may share memory and must not be changed. */
export function equalImportance(columns: number): Float32Array {
  if (ones.length < columns) ones = new Float32Array(columns).fill(1);
  return ones.subarray(0, columns);
}
