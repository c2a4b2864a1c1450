/**
 * Quantisation to additive codebooks of vectors with 8 values, with one scale per row.
 *
 * @module
 */

import { ENTRIES, VECTOR } from "./codebook_assign.ts";
import {
  chooseCodes,
  type CodebookFit,
  fitEntries,
  fitError,
  fitScales,
  unfitted,
} from "./codebook_fit.ts";
import { residualKMeans } from "./codebook_kmeans.ts";
import { outputMetric, plainMetric } from "./column_metric.ts";
import { type Computation, runHere } from "./computation.ts";
import { numbersToFloat16Array, numberToFloat16, roundToFloat16 } from "../layouts/float16.ts";
import type { InputStatistics } from "./input_statistics.ts";
import type { PackedTensor } from "../layouts/layout.ts";
import { emptyPacked, halves, planeBytes } from "../layouts/planes.ts";

/** Options for fitting the books. */
export interface CodebookOptions {
  /** Number of additive books, 1 to 4. Each costs one bit per weight. */
  readonly books: number;
  /** Equal seeds give the same bits. */
  readonly seed: number;
  /**
   * Statistics of the layer's inputs. With them, the error of the outputs is minimised. Default: the error of the
   * weights.
   */
  readonly statistics?: InputStatistics | undefined;
  /** The greatest number of rounds of assigning and refitting. Default 8. */
  readonly rounds?: number;
  /** Called after each round with the squared error, relative to that of all zeros. The error never rises. */
  readonly onRound?: (error: number) => void;
}

const ROUNDS = 8;
// Rounds end when one lowers the error by less than this part.
const SMALLEST_GAIN = 0.01;
const STEPS = 3;
const BEAM = 8;

/**
 * Quantises row-major `rows x columns` values to `books` codebooks with 256 entries of 8 values.
 *
 * Rows are divided by their root mean square. Each book is initialised by k-means on the residuals of the previous
 * books. The rest follows AQLM (Egiazarian et al., arXiv 2401.06118, section 3). The codes of each vector are chosen by
 * a beam search over the books, given all other vectors of the row. Row scales are fitted by least squares, and so are
 * the entries, by a few steps of conjugate gradients where AQLM uses Adam. The objective is the squared error of the
 * outputs if `statistics` are given, and otherwise of the weights. Rounds stop when the error no longer falls. Entries
 * and scales are always f16.
 *
 * A round takes about `rows · columns · (6 · columns + 1000 · books)` operations. Memory use is about 40 bytes per
 * weight.
 *
 * @throws {RangeError} for a shape that codebooks cannot hold, values or moments that are not finite, or a number of
 * books outside 1 to 4.
 * @throws {TypeError} when there are not `rows * columns` values, or the statistics have a different number of columns.
 *
 * @example Two bits per weight
 * ```ts
 * import { decode, quantizeCodebook } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const values = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i * i));
 * const packed = quantizeCodebook(values, 64, 64, { books: 2, seed: 1 });
 * const error = decode(packed).reduce((sum, y, i) => sum + (y - values[i]) ** 2, 0);
 * assertEquals(error < 0.05 * 2048, true);
 * ```
 */
export function quantizeCodebook(
  values: Float32Array,
  rows: number,
  columns: number,
  options: CodebookOptions,
): PackedTensor {
  return runHere(codebookComputation(values, rows, columns, options));
}

/**
 * {@linkcode quantizeCodebook} as a computation: the caller computes the products with the second moments of the
 * inputs; f32 precision is enough.
 */
export function* codebookComputation(
  values: Float32Array,
  rows: number,
  columns: number,
  options: CodebookOptions,
): Computation<PackedTensor> {
  const { books, seed, statistics, rounds = ROUNDS, onRound } = options;
  if (!(Number.isInteger(books) && books >= 1 && books <= 4)) {
    throw new RangeError(`Cannot fit ${books} codebooks: expected 1 to 4`);
  }
  const t = emptyPacked({ kind: "codebook", books }, rows, columns);
  if (values.length !== rows * columns) {
    throw new TypeError(`Cannot quantise ${values.length} values as ${rows} x ${columns}`);
  }
  const metric = statistics ? outputMetric(statistics, columns) : plainMetric(columns);
  const scales = rowSizes(values, rows, columns);
  const start = yield* residualKMeans(
    perRow(values, scales, columns),
    scales.map((scale) => scale * scale),
    books,
    seed,
  );
  const rounded = start.map((book) => book.map(roundToFloat16));
  const fit = yield* unfitted(values, rows, metric, rounded, scales);
  let error = Infinity;
  for (let round = 0; round < rounds; round++) {
    yield* chooseCodes(fit, BEAM, round === 0);
    fitScales(fit);
    yield* fitEntries(fit, STEPS);
    const last = error;
    error = fitError(fit);
    yield;
    onRound?.(fit.norm > 0 ? error / fit.norm : 0);
    if (!(error < (1 - SMALLEST_GAIN) * last)) break;
  }
  pack(fit, t);
  return t;
}

/** Values divided by the scale of their row, if it is not 0. */
function perRow(values: Float32Array, scales: Float64Array, columns: number): Float64Array {
  const divided = new Float64Array(values.length);
  for (let row = 0; row < scales.length; row++) {
    const scale = scales[row] || 1;
    for (let k = row * columns; k < (row + 1) * columns; k++) divided[k] = values[k] / scale;
  }
  return divided;
}

/** The f16 root mean square of each row. */
function rowSizes(values: Float32Array, rows: number, columns: number): Float64Array {
  const sizes = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let k = row * columns; k < (row + 1) * columns; k++) sum += values[k] * values[k];
    if (!Number.isFinite(sum)) {
      throw new RangeError(`Cannot quantise row ${row} to codebooks: a value is not finite`);
    }
    sizes[row] = roundToFloat16(Math.min(65504, Math.sqrt(sum / columns)));
  }
  return sizes;
}

function pack({ books, codes, scales }: CodebookFit, t: PackedTensor): void {
  const count = books.length;
  for (const [c, book] of books.entries()) {
    halves(t.codebook).set(numbersToFloat16Array(book), c * ENTRIES * VECTOR);
  }
  const bytes = planeBytes(t.codes);
  for (let i = 0; i < codes.length; i++) {
    const v = Math.floor(i / count);
    bytes[((v >> 2) * count + i % count) * 4 + (v & 3)] = codes[i];
  }
  const stored = halves(t.scales);
  for (const [row, scale] of scales.entries()) stored[row] = numberToFloat16(scale);
}
