/**
 * The f64 oracle of the matmul with branches.
 *
 * @module
 */

/** Sizes of a matmul: `branches` sets of `rows` activations of `inputs` features to `outputs` features. */
export interface MatmulShape {
  readonly branches: number;
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

/**
 * `y[b][m][n] = sum_k W_b[n][k] x[b][m][k] (+ bias[n]) (+ residual[b][m][n])`, all row-major.
 *
 * `weights` holds one `[outputs][inputs]` matrix a branch (see `effectiveWeights`).
 */
export function matmul(
  shape: MatmulShape,
  weights: readonly ArrayLike<number>[],
  x: ArrayLike<number>,
  bias: ArrayLike<number> | null = null,
  residual: ArrayLike<number> | null = null,
): Float64Array {
  const { branches, rows, inputs, outputs } = shape;
  if (weights.length !== branches || x.length < branches * rows * inputs) {
    throw new TypeError(
      `Cannot multiply: ${weights.length} matrices and ${x.length} activations for ` +
        `${branches} x ${rows} x ${inputs}`,
    );
  }
  const y = new Float64Array(branches * rows * outputs);
  const xs = new Float64Array(x);
  for (let b = 0; b < branches; b++) {
    const w = new Float64Array(weights[b]); // one array type keeps the inner loop fast
    for (let n = 0; n < outputs; n++) {
      const row = w.subarray(n * inputs, (n + 1) * inputs);
      const put = (m: number, sum: number): void => {
        const at = (b * rows + m) * outputs + n;
        y[at] = sum + (bias ? bias[n] : 0) + (residual ? residual[at] : 0);
      };
      let m = 0;
      // Four sums side by side: none waits for another's addition.
      for (; m + 4 <= rows; m += 4) {
        const x0 = (b * rows + m) * inputs;
        const [x1, x2, x3] = [x0 + inputs, x0 + 2 * inputs, x0 + 3 * inputs];
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (let k = 0; k < inputs; k++) {
          const weight = row[k];
          s0 += weight * xs[x0 + k];
          s1 += weight * xs[x1 + k];
          s2 += weight * xs[x2 + k];
          s3 += weight * xs[x3 + k];
        }
        put(m, s0);
        put(m + 1, s1);
        put(m + 2, s2);
        put(m + 3, s3);
      }
      for (; m < rows; m++) {
        const xAt = (b * rows + m) * inputs;
        let sum = 0;
        for (let k = 0; k < inputs; k++) sum += row[k] * xs[xAt + k];
        put(m, sum);
      }
    }
  }
  return y;
}
