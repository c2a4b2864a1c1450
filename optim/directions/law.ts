/**
 * Laws of a direction's elements: how a 16-bit lane becomes a number.
 *
 * @module
 */

/**
 * The law of a direction's elements, of those that its structure does not leave out, or of a factor's; mean 0 and variance exactly 1.
 *
 * - `"normal"`: `(popcount(lane) - 8) / 2`, the binomial approximation of a Gaussian in 17 levels from -4 to 4
 *   (kurtosis 2.875).
 * - `"rademacher"`: 1 or -1, by the lane's lowest bit: directions of length `sqrt(d)` exactly, on the sphere. Normal ones
 *   are within about `0.7 / sqrt(d)` of that, relatively; projecting them onto it would change derivative and step by this factor alone.
 */
export type Distribution = "normal" | "rademacher";

/** All distributions. */
export const DISTRIBUTIONS: readonly Distribution[] = ["normal", "rademacher"];

/** Set bits of the low and of the high 16 bits of a word: counts in bits 0-4 and 16-20. */
export function countHalves(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  x = (x + (x >>> 4)) & 0x0f0f0f0f;
  return (x + (x >>> 8)) & 0x001f001f;
}

/** The element of a 16-bit lane (upper bits ignored). */
export function level(dense: Distribution, lane: number): number {
  if (dense === "rademacher") return (lane & 1) * 2 - 1;
  return ((countHalves(lane) & 31) - 8) / 2;
}

/** One of the four 16-bit lanes of two words. */
export function laneOf(words: readonly number[], index: number): number {
  return (words[(index >>> 1) & 1] >>> ((index & 1) * 16)) & 0xffff;
}
