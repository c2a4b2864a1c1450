/**
 * The f64 oracle of GELU (Hendrycks and Gimpel 2016) and of its approximation by a tanh.
 *
 * @module
 */

/** `1 - erf(z)` for z of at least 0: by the series of erf below 2, else by the continued fraction of erfc, both to about 1e-14. */
function complement(z: number): number {
  if (z < 2) {
    let [term, sum] = [z, z];
    for (let n = 1; n < 60; n++) {
      term *= -(z * z) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - 2 / Math.sqrt(Math.PI) * sum;
  }
  let fraction = z;
  for (let k = 120; k >= 1; k--) fraction = z + k / 2 / fraction;
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction;
}

/** `x * Phi(x)`. */
export function gelu(x: number): number {
  const tail = x * complement(Math.abs(x) / Math.SQRT2) / 2;
  return x > 0 ? x - tail : tail;
}

/** `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`. */
export function geluTanh(x: number): number {
  return x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}
