/**
 * Fits codes, books and row scales to a weight.
 *
 * @module
 */

import { bookTables, codeChooser, ENTRIES, VECTOR } from "./codebook_assign.ts";
import type { ColumnMetric } from "./column_metric.ts";
import { type Computation, sharedFloats } from "./computation.ts";
import { roundToFloat16 } from "../layouts/float16.ts";

const LARGEST_FLOAT16 = 65504;

/** Rows after which other tasks get a turn. Their codes are chosen within milliseconds. */
const ROWS_A_TURN = 64;

/** Columns after which the products of later columns are computed again. */
const BLOCK = 128;

/** Codes, books and scales of a weight W, with the values needed for the error. Books and scales are f16 values. */
export interface CodebookFit {
  readonly rows: number;
  readonly columns: number;
  /** The metric of errors, H. */
  readonly metric: ColumnMetric;
  /** Books, `[256][8]` each. */
  books: Float32Array[];
  /** Scales, one per row. */
  readonly scales: Float64Array;
  /** Codes, `[rows][columns / 8][books]`. */
  readonly codes: Uint8Array;
  /** Values of the codes without scales, `[rows][columns]`. */
  sums: Float64Array;
  /** `sums` times H. */
  products: Float64Array;
  /** W times H. */
  readonly wanted: Float64Array;
  /** Error if all values were zero: the sum of `w H w` over rows. */
  readonly norm: number;
}

/** A fit that represents `values` exactly, before codes are chosen. Call `chooseCodes` with `first` next. */
export function* unfitted(
  values: Float32Array,
  rows: number,
  metric: ColumnMetric,
  books: Float32Array[],
  scales: Float64Array,
): Computation<CodebookFit> {
  const { columns } = metric;
  const all = sharedFloats(values.length);
  all.set(values);
  const wanted = yield* metric.times(all, rows);
  const perScale = (of: Float64Array): Float64Array => {
    const divided = sharedFloats(of.length);
    for (let row = 0; row < rows; row++) {
      const scale = scales[row];
      for (let k = row * columns; k < (row + 1) * columns; k++) {
        divided[k] = scale === 0 ? 0 : of[k] / scale;
      }
    }
    return divided;
  };
  return {
    rows,
    columns,
    metric,
    books,
    scales,
    codes: new Uint8Array(all.length / VECTOR * books.length),
    sums: perScale(all),
    products: perScale(wanted),
    wanted,
    norm: dot(all, wanted, 0, all.length),
  };
}

/** The error: the sum over rows of `(w - s y) H (w - s y)`, where s is the scale and y are the sums of a row. */
export function fitError(fit: CodebookFit): number {
  const { rows, columns, scales, sums, products, wanted, norm } = fit;
  let error = norm;
  for (let row = 0; row < rows; row++) {
    const scale = scales[row];
    const from = row * columns;
    error += scale * (scale * dot(products, sums, from, from + columns) -
      2 * dot(wanted, sums, from, from + columns));
  }
  return error;
}

/**
 * Goes through the vectors of all rows in the order of columns and gives each the best codes while all others stay the same. In the `first` round,
 * vectors that have not been reached count as exact.
 */
export function* chooseCodes(fit: CodebookFit, beam: number, first: boolean): Computation<void> {
  const { rows, columns, metric, books, scales, codes, sums, wanted } = fit;
  const count = books.length;
  const vectors = columns / VECTOR;
  const choose = codeChooser(count, beam);
  const target = new Float32Array(VECTOR);
  const chosen = new Uint8Array(count);
  const left = new Float64Array(VECTOR);
  const delta = new Float64Array(VECTOR);
  let h = metric.block(0, VECTOR);
  let tables = bookTables(books, h);
  for (let from = 0; from < columns; from += BLOCK) {
    const to = Math.min(columns, from + BLOCK);
    const width = to - from;
    const products = yield* metric.part(
      sums,
      rows,
      from,
      width,
      from > 0 ? [from - BLOCK, from] : undefined,
    );
    for (let v = from / VECTOR; v < to / VECTOR; v++) {
      const block = metric.block(v * VECTOR, VECTOR);
      if (block.some((value, i) => value !== h[i])) {
        h = block;
        tables = bookTables(books, h);
      }
      for (let row = 0; row < rows; row++) {
        if (row % ROWS_A_TURN === 0) yield;
        if (scales[row] === 0) continue;
        const at = row * columns + v * VECTOR;
        const product = row * width + v * VECTOR - from;
        for (let i = 0; i < VECTOR; i++) {
          left[i] = wanted[at + i] / scales[row] - products[product + i];
          let own = 0;
          for (let j = 0; j < VECTOR; j++) own += h[i * VECTOR + j] * sums[at + j];
          target[i] = left[i] + own;
        }
        choose(books, tables, target, chosen);
        let gain = 0;
        for (let i = 0; i < VECTOR; i++) {
          let sum = 0;
          for (let c = 0; c < count; c++) sum += books[c][chosen[c] * VECTOR + i];
          delta[i] = sum - sums[at + i];
        }
        for (let i = 0; i < VECTOR; i++) {
          let turned = 0;
          for (let j = 0; j < VECTOR; j++) turned += h[i * VECTOR + j] * delta[j];
          gain += delta[i] * (left[i] - turned / 2);
        }
        if (!first && !(gain > 0)) continue;
        codes.set(chosen, (row * vectors + v) * count);
        for (let i = 0; i < VECTOR; i++) sums[at + i] += delta[i];
        metric.add(delta, v * VECTOR, products, row * width, from, to);
      }
    }
  }
  fit.products = yield* metric.times(sums, rows);
}

/** Replaces the scale of each row by its least-squares scale in f16, if that is better. */
export function fitScales(fit: CodebookFit): void {
  const { rows, columns, scales, sums, products, wanted } = fit;
  for (let row = 0; row < rows; row++) {
    const from = row * columns;
    const along = dot(wanted, sums, from, from + columns);
    const length = dot(products, sums, from, from + columns);
    if (!(length > 0)) continue;
    const scale = roundToFloat16(
      Math.max(-LARGEST_FLOAT16, Math.min(LARGEST_FLOAT16, along / length)),
    );
    const cost = (s: number): number => s * (s * length - 2 * along);
    if (cost(scale) < cost(scales[row])) scales[row] = scale;
  }
}

/**
 * Makes `steps` conjugate-gradient steps towards the best entries for the codes and scales, and rounds them to f16. Returns whether the error fell;
 * if not, nothing changes.
 */
export function* fitEntries(fit: CodebookFit, steps: number): Computation<boolean> {
  const { rows, columns, metric, scales, wanted, books } = fit;
  const count = books.length * ENTRIES * VECTOR;
  const before = fitError(fit);
  const weighted = new Float64Array(wanted.length);
  for (let row = 0; row < rows; row++) {
    const scale = scales[row];
    for (let k = row * columns; k < (row + 1) * columns; k++) {
      weighted[k] = scale * (wanted[k] - scale * fit.products[k]);
    }
  }
  yield;
  const residual = gather(fit, weighted);
  yield;
  const diagonal = entryDiagonal(fit);
  yield;
  const conditioned = (): Float64Array =>
    residual.map((value, i) => diagonal[i] > 0 ? value / diagonal[i] : 0);
  let z = conditioned();
  let direction = z;
  let size = dot(residual, z, 0, count);
  const moved = new Float64Array(count);
  for (let step = 0; step < steps && size > 0; step++) {
    const spread = yield* metric.times(scatter(fit, direction), rows);
    yield;
    for (let row = 0; row < rows; row++) {
      for (let k = row * columns; k < (row + 1) * columns; k++) spread[k] *= scales[row] ** 2;
    }
    const image = gather(fit, spread);
    yield;
    const curvature = dot(direction, image, 0, count);
    if (!(curvature > 0)) break;
    const length = size / curvature;
    for (let i = 0; i < count; i++) {
      moved[i] += length * direction[i];
      residual[i] -= length * image[i];
    }
    z = conditioned();
    const next = dot(residual, z, 0, count);
    direction = direction.map((value, i) => z[i] + next / size * value);
    size = next;
  }
  const improved = books.map((book, c) =>
    book.map((value, i) => roundToFloat16(value + moved[c * ENTRIES * VECTOR + i]))
  );
  const sums = scatter(fit, Float64Array.from(improved.flatMap((book) => [...book])));
  const products = yield* metric.times(sums, rows);
  const better = { ...fit, books: improved, sums, products };
  if (!(fitError(better) < before)) return false;
  Object.assign(fit, better);
  return true;
}

/** Sums `[rows][columns]` of the entries (`[books][256][8]`) that the codes select. */
function scatter(
  { rows, columns, codes, books }: CodebookFit,
  entries: Float64Array,
): Float64Array {
  const sums = sharedFloats(rows * columns);
  const count = books.length;
  for (let v = 0, at = 0; v < sums.length; v += VECTOR) {
    for (let c = 0; c < count; c++, at++) {
      const from = (c * ENTRIES + codes[at]) * VECTOR;
      for (let k = 0; k < VECTOR; k++) sums[v + k] += entries[from + k];
    }
  }
  return sums;
}

/** The transpose of `scatter`. */
function gather({ codes, books }: CodebookFit, values: Float64Array): Float64Array {
  const count = books.length;
  const entries = new Float64Array(count * ENTRIES * VECTOR);
  for (let v = 0, at = 0; v < values.length; v += VECTOR) {
    for (let c = 0; c < count; c++, at++) {
      const to = (c * ENTRIES + codes[at]) * VECTOR;
      for (let k = 0; k < VECTOR; k++) entries[to + k] += values[v + k];
    }
  }
  return entries;
}

/** The diagonal of the least-squares problem for the entries, without the terms between different vectors of a row. */
function entryDiagonal(fit: CodebookFit): Float64Array {
  const { rows, columns, metric, scales } = fit;
  const values = new Float64Array(rows * columns);
  for (let v = 0; v < columns; v += VECTOR) {
    const h = metric.block(v, VECTOR);
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < VECTOR; k++) {
        values[row * columns + v + k] = scales[row] ** 2 * h[k * VECTOR + k];
      }
    }
  }
  return gather(fit, values);
}

function dot(a: Float64Array, b: Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let k = from; k < to; k++) sum += a[k] * b[k];
  return sum;
}
