/** Objectives with known answers. */

/** A function with its gradient. */
export interface Objective {
  /** Its value. */
  loss(x: ArrayLike<number>): number;
  /** Its gradient. */
  gradient(x: ArrayLike<number>): number[];
}

/** `sum h_i (x_i - c_i)^2 / 2` with curvatures from 1 to `condition`. */
export function quadratic(center: readonly number[], condition: number): Objective {
  const n = center.length;
  const curvature = center.map((_, i) => condition ** (n > 1 ? i / (n - 1) : 0));
  return {
    loss: (x) => center.reduce((sum, c, i) => sum + curvature[i] * (x[i] - c) ** 2 / 2, 0),
    gradient: (x) => center.map((c, i) => curvature[i] * (x[i] - c)),
  };
}

/** Rosenbrock's valley: 0 at (1, 1). */
export const rosenbrock: Objective = {
  loss: ({ 0: x, 1: y }) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
  gradient: ({ 0: x, 1: y }) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
};

/** Logistic regression on given rows and labels (1 or -1), with a ridge of 0.1. */
export function logistic(
  rows: readonly (readonly number[])[],
  labels: readonly number[],
): Objective {
  const ridge = 0.1;
  const margin = (x: ArrayLike<number>, i: number) =>
    labels[i] * rows[i].reduce((sum, value, j) => sum + value * x[j], 0);
  return {
    loss(x) {
      let sum = 0;
      for (let j = 0; j < rows[0].length; j++) sum += ridge / 2 * x[j] ** 2;
      return rows.reduce((s, _, i) => s + Math.log1p(Math.exp(-margin(x, i))) / rows.length, sum);
    },
    gradient(x) {
      const g = rows[0].map((_, j) => ridge * x[j]);
      rows.forEach((row, i) => {
        const pull = -labels[i] / (1 + Math.exp(margin(x, i))) / rows.length;
        row.forEach((value, j) => g[j] += pull * value);
      });
      return g;
    },
  };
}
