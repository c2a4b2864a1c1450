/**
 * The number of forward passes that a loss curve takes to reach a loss.
 *
 * @module
 */
import type { BenchmarkPoint } from "./benchmark.ts";

/** Number of forward passes, rounded up, after which a curve, interpolated linearly, first reaches `target`. Undefined if it does not. */
export function forwardsTo(curve: readonly BenchmarkPoint[], target: number): number | undefined {
  const reached = curve.findIndex(({ loss }) => loss <= target);
  if (reached <= 0) return curve[reached]?.forwards;
  const [before, after] = [curve[reached - 1], curve[reached]];
  const share = (before.loss - target) / (before.loss - after.loss);
  return Math.ceil(before.forwards + share * (after.forwards - before.forwards));
}
