/**
 * The f64 oracle of RMSNorm (Zhang and Sennrich 2019, section 4).
 *
 * @module
 */

/**
 * `y[r][k] = x[r][k] / sqrt(mean_k x[r][k]² + epsilon) * gain[k]` for rows of `columns` values.
 *
 * One gain `[columns]` for all rows; for branches with different gains call it once a branch.
 */
export function rmsNorm(
  x: ArrayLike<number>,
  gain: ArrayLike<number>,
  columns: number,
  epsilon: number,
): Float64Array {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += columns) {
    let squares = 0;
    for (let k = 0; k < columns; k++) squares += x[at + k] ** 2;
    const inverse = 1 / Math.sqrt(squares / columns + epsilon);
    for (let k = 0; k < columns; k++) y[at + k] = x[at + k] * inverse * gain[k];
  }
  return y;
}
