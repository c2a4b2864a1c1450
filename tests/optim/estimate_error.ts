/**
 * How good an estimate of a known gradient is over many steps: its mean along the gradient and its squared error.
 */
import { fillNoise, masterSeed, stepSeed } from "../../optim/mod.ts";
import { Sample } from "./sample.ts";

/** Where to look: a gradient, directions of a step, steps that count and those before them. */
export interface EstimateCase {
  readonly gradient: Float64Array;
  readonly queries: number;
  readonly trials: number;
  readonly before?: number;
}

/**
 * Over `trials` steps, of what `derivatives` makes of each step's slopes `g . z_q`: the part along the gradient (1 without bias) and the
 * squared distance from it, both in units of its squared length.
 */
export function estimateError(
  { gradient, queries, trials, before = 0 }: EstimateCase,
  derivatives: (slopes: readonly number[], step: number) => readonly number[],
): { readonly along: Sample; readonly error: Sample } {
  const n = gradient.length;
  const square = gradient.reduce((sum, x) => sum + x * x, 0);
  const [along, error] = [new Sample(), new Sample()];
  for (let step = 0; step < before + trials; step++) {
    const zs = Array.from(
      { length: queries },
      (_, q) => fillNoise("normal", stepSeed(masterSeed(3), step, q), 9, 0, new Float32Array(n)),
    );
    const slopes = zs.map((z) => gradient.reduce((sum, x, j) => sum + x * z[j], 0));
    const values = derivatives(slopes, step);
    if (step < before) continue;
    const estimate = new Float64Array(n);
    values.forEach((d, q) => {
      for (let j = 0; j < n; j++) estimate[j] += d * zs[q][j] / queries;
    });
    along.add(estimate.reduce((sum, x, j) => sum + x * gradient[j], 0) / square);
    error.add(estimate.reduce((sum, x, j) => sum + (x - gradient[j]) ** 2, 0) / square);
  }
  return { along, error };
}
