/**
 * How good an estimate of a known gradient is over many steps: its mean along the gradient and its squared error, each with a standard
 * error.
 */
import { assert } from "@std/assert";
import { fillNoise, masterSeed, stepSeed } from "../../optim/mod.ts";

/** A mean over steps and its standard error. */
export interface Measured {
  readonly mean: number;
  readonly deviation: number;
}

/** What is measured, in units of the gradient's squared length. */
export interface EstimateError {
  /** 1 without bias. */
  readonly along: Measured;
  /** Squared distance from the gradient. */
  readonly error: Measured;
}

/** Where to look: a gradient, directions of a step, steps that count and those before them. */
export interface EstimateCase {
  readonly gradient: Float64Array;
  readonly queries: number;
  readonly trials: number;
  readonly before?: number;
}

/** Means over `trials` steps of what `derivatives` makes of each step's slopes `g . z_q`. */
export function estimateError(
  { gradient, queries, trials, before = 0 }: EstimateCase,
  derivatives: (slopes: readonly number[], step: number) => readonly number[],
): EstimateError {
  const n = gradient.length;
  const square = gradient.reduce((sum, x) => sum + x * x, 0);
  const along: number[] = [];
  const error: number[] = [];
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
    along.push(estimate.reduce((sum, x, j) => sum + x * gradient[j], 0) / square);
    error.push(estimate.reduce((sum, x, j) => sum + (x - gradient[j]) ** 2, 0) / square);
  }
  return { along: measured(along), error: measured(error) };
}

function measured(values: readonly number[]): Measured {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const square = values.reduce((sum, x) => sum + x * x, 0) / values.length;
  return { mean, deviation: Math.sqrt((square - mean * mean) / values.length) };
}

/** Fails unless `expected` is within 4.5 standard errors of the mean, and `rounding`. */
export function assertMean(
  { mean, deviation }: Measured,
  expected: number,
  what: string,
  rounding = 0,
): void {
  assert(
    Math.abs(mean - expected) < 4.5 * deviation + rounding,
    `${what}: ${mean} +- ${deviation}, not ${expected}`,
  );
}
