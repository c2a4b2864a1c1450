/**
 * The f64 oracle of the embedding gather.
 *
 * @module
 */

/** `y[b][m] = W_b[tokens[m]]`; `weights` holds one `[vocabulary][columns]` matrix a branch. */
export function embedding(
  weights: readonly ArrayLike<number>[],
  columns: number,
  tokens: ArrayLike<number>,
): Float64Array {
  const rows = tokens.length;
  const y = new Float64Array(weights.length * rows * columns);
  for (let b = 0; b < weights.length; b++) {
    for (let m = 0; m < rows; m++) {
      for (let k = 0; k < columns; k++) {
        y[(b * rows + m) * columns + k] = weights[b][tokens[m] * columns + k];
      }
    }
  }
  return y;
}
