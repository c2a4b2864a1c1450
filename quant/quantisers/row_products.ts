/**
 * Dot products of the rows of two matrices in f64, the most expensive part of calibrated quantisation.
 *
 * @module
 */

/** Rows of a matrix, of which a range of columns is multiplied. */
export interface RowsOf {
  /** Values, row-major. */
  readonly values: Float64Array;
  /** Number of values per row. */
  readonly stride: number;
  /** Index of the first row. */
  readonly first: number;
  /** Number of rows. */
  readonly count: number;
}

/** `out[i][j] = sum over k in [from, to) of a[i][k] b[j][k]`, row-major `a.count x b.count`. */
export interface RowProducts {
  /** The rows indexed by i. */
  readonly a: RowsOf;
  /** The rows indexed by j. */
  readonly b: RowsOf;
  /** First column of the sum. */
  readonly from: number;
  /** End of the columns of the sum, exclusive. */
  readonly to: number;
  /** Receives the products: at least `a.count · b.count` values. */
  readonly out: Float64Array;
}

/**
 * Computes products on the current thread. Its source text is also run elsewhere (see `rowProductsText`), so it may use
 * nothing except `addProducts`.
 */
export function rowProducts({ a, b, from, to, out }: RowProducts): void {
  // Columns summed at once, and rows of b multiplied with those of a meanwhile, so that their values stay in the cache.
  const chunk = 512, rowsOfB = 64;
  out.fill(0, 0, a.count * b.count);
  for (let k = from; k < to; k += chunk) {
    const end = Math.min(to, k + chunk);
    for (let j = 0; j < b.count; j += rowsOfB) {
      addProducts(a, b, j, Math.min(b.count, j + rowsOfB), k, end, out);
    }
  }
}

/** JavaScript that defines `rowProducts`, and the name it has there, for contexts that cannot import modules. */
export function rowProductsText(): { text: string; name: string } {
  return { text: `${addProducts}\n${rowProducts}`, name: rowProducts.name };
}

/** Adds the products with rows `[first, last)` of b over columns `[from, to)`. */
function addProducts(
  a: RowsOf,
  b: RowsOf,
  first: number,
  last: number,
  from: number,
  to: number,
  out: Float64Array,
): void {
  const x = a.values;
  const y = b.values;
  // Two rows by four: as many sums as fit in registers, with 6 loads for 8 products.
  for (let i = 0; i < a.count; i += 2) {
    const a0 = (a.first + i) * a.stride;
    const a1 = i + 1 < a.count ? a0 + a.stride : a0;
    for (let j = first; j < last; j += 4) {
      const b0 = (b.first + j) * b.stride;
      const b1 = j + 1 < last ? b0 + b.stride : b0;
      const b2 = j + 2 < last ? b1 + b.stride : b0;
      const b3 = j + 3 < last ? b2 + b.stride : b0;
      let s00 = 0, s01 = 0, s02 = 0, s03 = 0;
      let s10 = 0, s11 = 0, s12 = 0, s13 = 0;
      for (let k = from; k < to; k++) {
        const u = x[a0 + k];
        const v = x[a1 + k];
        const p = y[b0 + k];
        const q = y[b1 + k];
        const r = y[b2 + k];
        const s = y[b3 + k];
        s00 += u * p;
        s01 += u * q;
        s02 += u * r;
        s03 += u * s;
        s10 += v * p;
        s11 += v * q;
        s12 += v * r;
        s13 += v * s;
      }
      const at = i * b.count + j;
      const left = last - j;
      out[at] += s00;
      if (left > 1) out[at + 1] += s01;
      if (left > 2) out[at + 2] += s02;
      if (left > 3) out[at + 3] += s03;
      if (i + 1 === a.count) continue;
      const below = at + b.count;
      out[below] += s10;
      if (left > 1) out[below + 1] += s11;
      if (left > 2) out[below + 2] += s12;
      if (left > 3) out[below + 3] += s13;
    }
  }
}
