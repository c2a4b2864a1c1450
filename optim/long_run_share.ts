/**
 * Learning rates of long runs.
 *
 * @module
 */

/**
 * The factor for the default learning rate of a run of `steps` steps: 1 up to `full` steps, then the square root of `full / steps`. The noise of `n`
 * independent steps of length `l` adds up to `l * sqrt(n)`, so with this factor it ends as large as after `full` steps at the full rate, while the
 * common direction of the steps adds up to more. The best constant rate for stochastic gradients depends on the number of steps in the same way
 * (Ghadimi and Lan, arXiv 1309.5549, section 2).
 *
 * @param full Number of steps up to which the rate is unchanged, at least 1.
 * @param steps Number of steps in the run, at least 1.
 * @returns A number greater than 0 and at most 1.
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
