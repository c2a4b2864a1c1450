/** Objectives with known answers. */
import { random } from "./random.ts";

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

/** A function of scales, where they start, and where its loss is 0. */
export interface ScaleFit {
  /** Its value. */
  loss(scales: ArrayLike<number>): number;
  /** The scales of the quantised net. */
  readonly start: number[];
  /** The scales of the net that made the data. */
  readonly teacher: number[];
}

/**
 * A net of two layers with codes of 4 bits and a scale per group, fitted to the outputs of the same codes under other scales: what
 * training scales is, in small.
 */
export function quantisedNet(): ScaleFit {
  const [inputs, hidden, group] = [8, 6, 4];
  const next = random(31);
  const codes = (count: number) => Array.from({ length: count }, () => Math.floor(next() * 16) - 8);
  const [first, second] = [codes(hidden * inputs), codes(hidden)];
  const groups = [hidden * inputs / group, Math.ceil(hidden / group)];
  const start = Array.from({ length: groups[0] + groups[1] }, (_, i) => i < groups[0] ? 0.1 : 0.2);
  const teacher = start.map((scale) => scale * (0.6 + 0.8 * next()));
  const points = Array.from(
    { length: 12 },
    () => Array.from({ length: inputs }, () => 2 * next() - 1),
  );
  const output = (scales: ArrayLike<number>, x: readonly number[]) => {
    let y = 0;
    for (let h = 0; h < hidden; h++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) {
        const at = h * inputs + i;
        sum += first[at] * scales[Math.floor(at / group)] * x[i];
      }
      y += second[h] * scales[groups[0] + Math.floor(h / group)] * Math.tanh(sum);
    }
    return y;
  };
  const wanted = points.map((x) => output(teacher, x));
  return {
    start,
    teacher,
    loss: (scales) =>
      points.reduce((sum, x, i) => sum + (output(scales, x) - wanted[i]) ** 2 / points.length, 0),
  };
}
