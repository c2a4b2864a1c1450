/**
 * The factors by which the rounding error of a column is compensated in later columns.
 *
 * GPTQ (arXiv 2210.17323) subtracts a column's error from later columns, multiplied by rows of the Cholesky factor of the inverse Hessian. This is
 * equivalent to LDLQ (QuIP, arXiv 2307.13304, theorem 6): with `H = (I + U) D (I + U)ᵀ`, U strictly upper triangular, column k is rounded from
 * `w_k + sum over j < k of (w_j - q_j) U_jk`. This needs one factorisation from the last column to the first, and no inverse.
 *
 * @module
 */

import { type Computation, sharedFloats } from "./computation.ts";
import type { InputStatistics } from "./input_statistics.ts";

/** Columns per panel of the factorisation. The work within a panel runs on one thread. */
const PANEL = 32;

/** The factors of the damped second moments `H = (I + U) D (I + U)ᵀ`. */
export interface ErrorFeedback {
  /**
   * `Uᵀ`, row-major `columns x columns`: row k has the factors with which errors of columns before k are added to column k. Ignore the diagonal and
   * the elements to the right of it.
   */
  readonly feedback: Float64Array;
  /** The diagonal of D: the weight of the squared error that remains at a column when it is rounded. */
  readonly pivots: Float64Array;
}

/**
 * Factors the damped second moments of a layer's inputs.
 *
 * @param order Columns in the order in which they are rounded.
 * @param damping Added to the diagonal, as a fraction of its mean.
 * @throws {TypeError} when the moments are not `columns x columns`.
 * @throws {RangeError} when the moments are not finite or, with too little damping, not positive definite, or the damping is negative.
 */
export function* errorFeedback(
  { moments, columns: n }: InputStatistics,
  order: Uint32Array,
  damping: number,
): Computation<ErrorFeedback> {
  const h = yield* dampedMoments(moments, order, damping);
  const pivots = new Float64Array(n);
  const scaled = sharedFloats(PANEL * n); // rows of U D for the panel
  const products = sharedFloats(PANEL * n);
  const column = new Float64Array(PANEL);
  for (let end = n; end > 0; end -= PANEL) {
    const start = Math.max(0, end - PANEL);
    const width = end - start;
    for (let c = 0; c < width; c++) {
      const row = (start + c) * n;
      for (let j = end; j < n; j++) scaled[c * n + j] = h[row + j] * pivots[j];
    }
    if (end < n) {
      yield {
        a: { values: h, stride: n, first: 0, count: end },
        b: { values: scaled, stride: n, first: 0, count: width },
        from: end,
        to: n,
        out: products,
        exact: true,
      };
      for (let i = 0; i < end; i++) {
        for (let c = 0; c < width; c++) h[i * n + start + c] -= products[i * width + c];
      }
    }
    yield;
    for (let k = end - 1; k >= start; k--) {
      const pivot = h[k * n + k];
      if (!(pivot > 0)) {
        throw new RangeError(
          `Cannot factor the second moments of ${n} inputs: they are not positive definite at column ${
            order[k]
          } with a damping of ${damping}; raise it, or calibrate with more text`,
        );
      }
      pivots[k] = pivot;
      for (let c = start; c < k; c++) column[c - start] = h[c * n + k];
      for (let i = 0; i < k; i++) {
        const u = h[i * n + k] /= pivot;
        const at = i * n;
        for (let c = Math.max(i, start); c < k; c++) h[at + c] -= u * column[c - start];
      }
    }
  }
  yield* transpose(h, n);
  return { feedback: h, pivots };
}

/** The damped second moments in the given order. Throws the errors of {@linkcode errorFeedback}. */
function* dampedMoments(
  moments: Float32Array,
  order: Uint32Array,
  damping: number,
): Computation<Float64Array> {
  const n = order.length;
  if (moments.length !== n * n) {
    throw new TypeError(
      `Cannot factor second moments: ${moments.length} values for ${n} inputs, expected ${n * n}`,
    );
  }
  if (!(damping >= 0 && damping < Infinity)) {
    throw new RangeError(`Cannot damp second moments by ${damping}: expected 0 or more`);
  }
  let sum = 0;
  for (let i = 0; i < n; i++) sum += moments[i * n + i];
  const mean = sum / n;
  const h = sharedFloats(n * n);
  for (let i = 0; i < n; i++) {
    const from = order[i] * n;
    for (let j = i; j < n; j++) {
      const value = moments[from + order[j]];
      if (!Number.isFinite(value)) {
        throw new RangeError(
          `Cannot factor second moments: ${value} at ${order[i]}, ${order[j]}`,
        );
      }
      h[i * n + j] = value;
    }
    // An input that was always zero does not affect any product, so any positive value will do.
    if (h[i * n + i] === 0) h[i * n + i] = mean || 1;
    h[i * n + i] += damping * mean;
    yield;
  }
  return h;
}

function* transpose(square: Float64Array, n: number): Computation<void> {
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const value = square[i * n + j];
      square[i * n + j] = square[j * n + i];
      square[j * n + i] = value;
    }
    yield;
  }
}
