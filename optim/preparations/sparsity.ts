/**
 * The sparsity that released code actually has, for repeating its runs.
 *
 * @module
 */

/** The distribution function of the standard normal distribution, accurate to 2e-7. */
function normalBelow(x: number): number {
  // Abramowitz and Stegun, 26.2.17, for x >= 0.
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const weights = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const tail = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) *
    weights.reduceRight((sum, weight) => (sum + weight) * t, 0);
  return x >= 0 ? 1 - tail : tail;
}

/**
 * The fraction of elements that ZO-Bench's `fast_random_mask_like` keeps when asked to zero the fraction `sparsity`. It compares standard normal
 * random numbers with `sparsity`, so it zeroes the normal distribution function of `sparsity`.
 *
 * @example The requested and the actual sparsity
 * ```ts
 * import { releasedDensity } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * assertAlmostEquals(1 - releasedDensity(0.9), 0.816, 1e-3);
 * assertAlmostEquals(1 - releasedDensity(0.1), 0.540, 1e-3);
 * ```
 */
export function releasedDensity(sparsity: number): number {
  return 1 - normalBelow(sparsity);
}
