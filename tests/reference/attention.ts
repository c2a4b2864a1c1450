/**
 * The f64 oracle of causal grouped-query attention over packed rows.
 *
 * @module
 */

/** The keys of a row: rows `[prefixStart, prefixEnd)` and `[ownStart, row]` of the same branch. */
export interface AttentionRow {
  readonly prefixStart: number;
  readonly prefixEnd: number;
  readonly ownStart: number;
}

/** Sizes: `rows` rows in each of `branches`, `heads` query heads that share `kvHeads` key and value heads. */
export interface AttentionShape {
  readonly branches: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** How many keys a row sees at most, itself included; the nearest. */
  readonly window?: number | undefined;
  /** Of the products; `1 / sqrt(headSize)` unless given. */
  readonly scale?: number;
  /** The largest score: `cap * tanh(score / cap)` stands for a score. */
  readonly cap?: number | undefined;
  /** Keys and values, `[B][count][kvHeads * headSize]`, that every row sees as if they stood before all others. */
  readonly shared?: {
    readonly count: number;
    readonly k: ArrayLike<number>;
    readonly v: ArrayLike<number>;
  } | undefined;
}

/** The row table of one sequence of `length` tokens. */
export function causalRows(length: number): AttentionRow[] {
  return Array.from({ length }, () => ({ prefixStart: 0, prefixEnd: 0, ownStart: 0 }));
}

/**
 * Softmax attention: q and the result are `[B][M][heads * headSize]`, k and v
 * `[B][M][kvHeads * headSize]`, M = `rows.length`.
 */
export function attention(
  shape: AttentionShape,
  rows: readonly AttentionRow[],
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
): Float64Array {
  const { branches, heads, kvHeads, headSize, window, cap } = shape;
  const scale = shape.scale ?? 1 / Math.sqrt(headSize);
  const count = rows.length;
  const y = new Float64Array(branches * count * heads * headSize);
  for (let b = 0; b < branches; b++) {
    for (let m = 0; m < count; m++) {
      const all: { readonly k: ArrayLike<number>; readonly v: ArrayLike<number>; row: number }[] =
        [];
      const { count: first = 0, ...others } = shape.shared ?? { k, v };
      for (let key = 0; key < first; key++) all.push({ ...others, row: b * first + key });
      const own = (key: number) => all.push({ k, v, row: b * count + key });
      for (let key = rows[m].prefixStart; key < rows[m].prefixEnd; key++) own(key);
      for (let key = rows[m].ownStart; key <= m; key++) own(key);
      const keys = window === undefined ? all : all.slice(-window);
      for (let head = 0; head < heads; head++) {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const qAt = ((b * count + m) * heads + head) * headSize;
        const kvAt = (row: number): number => (row * kvHeads + kvHead) * headSize;
        const scores = keys.map(({ k, row }) => {
          let dot = 0;
          for (let d = 0; d < headSize; d++) dot += q[qAt + d] * k[kvAt(row) + d];
          return cap === undefined ? dot * scale : cap * Math.tanh(dot * scale / cap);
        });
        const top = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - top));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        keys.forEach(({ v, row }, i) => {
          for (let d = 0; d < headSize; d++) y[qAt + d] += weights[i] / total * v[kvAt(row) + d];
        });
      }
    }
  }
  return y;
}
