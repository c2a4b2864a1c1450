/**
 * When a curve of losses gets somewhere.
 *
 * @module
 */
import type { BenchmarkPoint } from "./benchmark.ts";

/** Forwards, rounded up, after which a curve that is straight between its points first has at most a loss, if it gets there. */
export function forwardsTo(curve: readonly BenchmarkPoint[], target: number): number | undefined {
  const reached = curve.findIndex(({ loss }) => loss <= target);
  if (reached <= 0) return curve[reached]?.forwards;
  const [before, after] = [curve[reached - 1], curve[reached]];
  const share = (before.loss - target) / (before.loss - after.loss);
  return Math.ceil(before.forwards + share * (after.forwards - before.forwards));
}
