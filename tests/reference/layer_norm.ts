/**
 * The f64 oracle of LayerNorm (Ba, Kiros and Hinton 2016, section 3.1), with the biased variance that torch takes.
 *
 * @module
 */

/** `(x - mean) / sqrt(variance + epsilon) * gain + bias` for rows of `columns` values; null for a gain of ones, or a bias of zeros. */
export function layerNorm(
  x: ArrayLike<number>,
  gain: ArrayLike<number> | null,
  bias: ArrayLike<number> | null,
  columns: number,
  epsilon: number,
): Float64Array {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += columns) {
    let mean = 0;
    for (let k = 0; k < columns; k++) mean += x[at + k] / columns;
    let variance = 0;
    for (let k = 0; k < columns; k++) variance += (x[at + k] - mean) ** 2 / columns;
    for (let k = 0; k < columns; k++) {
      const normal = (x[at + k] - mean) / Math.sqrt(variance + epsilon);
      y[at + k] = normal * (gain ? gain[k] : 1) + (bias ? bias[k] : 0);
    }
  }
  return y;
}
