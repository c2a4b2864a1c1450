/**
 * Distributions of a direction's elements: how a 16-bit lane becomes a number.
 *
 * @module
 */

/**
 * The distribution of a direction's elements (of those that its structure keeps), or of the elements of a factor. Mean 0 and variance exactly 1.
 *
 * - `"normal"`: `(popcount(lane) - 8) / 2`, the binomial approximation of a Gaussian with 17 levels from -4 to 4 (kurtosis 2.875).
 * - `"rademacher"`: 1 or -1, by the lowest bit of the lane. These directions have length `sqrt(d)` exactly, so they lie on a sphere. The length
 *   of normal ones differs from that by a relative error of about `0.7 / sqrt(d)`. Projecting them onto the sphere would change derivative and
 *   step only by this factor.
 */
export type Distribution = "normal" | "rademacher";

/** All distributions. */
export const DISTRIBUTIONS: readonly Distribution[] = ["normal", "rademacher"];

/** Number of set bits in the low and in the high 16 bits of a word, in bits 0-4 and 16-20. */
export function countHalves(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  x = (x + (x >>> 4)) & 0x0f0f0f0f;
  return (x + (x >>> 8)) & 0x001f001f;
}

/** The element for a 16-bit lane. Upper bits are ignored. */
export function level(dense: Distribution, lane: number): number {
  if (dense === "rademacher") return (lane & 1) * 2 - 1;
  return ((countHalves(lane) & 31) - 8) / 2;
}

/** One of the four 16-bit lanes of two words. */
export function laneOf(words: readonly number[], index: number): number {
  return (words[(index >>> 1) & 1] >>> ((index & 1) * 16)) & 0xffff;
}
