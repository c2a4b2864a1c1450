/**
 * Learning rates of long runs.
 *
 * @module
 */

/**
 * What a default learning rate is multiplied by in a run of `steps` steps: 1 up to `full` steps, then the square root of `full / steps`. The noise of
 * `n` independent steps of length `l` adds up to `l * sqrt(n)`, so it ends as large as after `full` steps at the full rate, while what the steps have in common
 * adds up to more. It is the dependence of the best constant rate on the number of steps for stochastic gradients (arXiv 1309.5549, section 2).
 *
 * @param full Steps up to which the rate is used as it is, at least 1.
 * @param steps Steps of the run, at least 1.
 * @returns Greater than 0 and at most 1.
 *
 * @example Four times as many steps at half the rate
 * ```ts
 * import { longRunShare } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([100, 250, 1000].map((steps) => longRunShare(250, steps)), [1, 1, 0.5]);
 * ```
 */
export function longRunShare(full: number, steps: number): number {
  return Math.min(1, Math.sqrt(full / steps));
}
