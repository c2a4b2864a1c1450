/**
 * How much the squared error of a column counts: the idea of llama.cpp's importance matrix.
 *
 * @module
 */

import type { InputStatistics } from "./input_statistics.ts";

// Of the mean: columns whose input the calibration text never showed still count something.
const LEAST = 0.01;

/**
 * By column the mean square of its input over their mean, plus a hundredth: to first order what the squared error of a weight adds to that of
 * the outputs. 1 for every column without statistics.
 *
 * @throws {TypeError} when the statistics are of other columns. @throws {RangeError} for a moment that is not finite.
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

/** Columns that count the same. */
export function equalImportance(columns: number): Float32Array {
  if (ones.length < columns) ones = new Float32Array(columns).fill(1);
  return ones.subarray(0, columns);
}
