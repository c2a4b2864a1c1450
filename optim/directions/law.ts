/**
 * Laws of a direction's elements: how a 16-bit lane becomes a number, and what the second word of a seed names.
 *
 * @module
 */

/**
 * The law of a direction's elements; the first two have mean 0 and variance exactly 1.
 *
 * - `"normal"`: `(popcount(lane) - 8) / 2`, the binomial approximation of a Gaussian in 17 levels from -4 to 4
 *   (kurtosis 2.875).
 * - `"rademacher"`: 1 or -1, by the lane's lowest bit: directions of length `sqrt(d)` exactly, on the sphere. Normal ones
 *   are within about `0.7 / sqrt(d)` of that, relatively; projecting them onto it would change derivative and step by this factor alone.
 * - `"sparseNormal"`, `"sparseRademacher"`: the same where the mask in the seed's second word says so, else 0. Only seeds
 *   of a masked plan (see {@linkcode DirectionPlan}) have one; an optimiser made with a mask has these by itself.
 * - `"blockNormal"`, `"blockRademacher"`: the same in tensors of the block that the seed's second word names, which is for
 *   who perturbs or moves a tensor to see to ({@linkcode inBlock}); an optimiser made with blocks has these by itself.
 * - `"lowRankNormal"`, `"lowRankRademacher"`: products of factors, see {@linkcode LowRank}: of mean 0 and variance the rank; an
 *   optimiser made with `lowRank` has these by itself.
 */
export type Distribution =
  | "normal"
  | "rademacher"
  | "sparseNormal"
  | "sparseRademacher"
  | "blockNormal"
  | "blockRademacher"
  | "lowRankNormal"
  | "lowRankRademacher";

/** What the second word of a direction's seed names, and the part of a plan that it follows from. */
export type Structure = "mask" | "blocks" | "lowRank";

/** What a {@linkcode Distribution} is made of. */
export interface Law {
  /** The law of an element that is not left out, or of a factor's. */
  readonly dense: "normal" | "rademacher";
  /** Absent where a seed's second word is as random as its first. */
  readonly structure?: Structure;
}

/** All distributions. */
export const laws: Readonly<Record<Distribution, Law>> = {
  normal: { dense: "normal" },
  rademacher: { dense: "rademacher" },
  sparseNormal: { dense: "normal", structure: "mask" },
  sparseRademacher: { dense: "rademacher", structure: "mask" },
  blockNormal: { dense: "normal", structure: "blocks" },
  blockRademacher: { dense: "rademacher", structure: "blocks" },
  lowRankNormal: { dense: "normal", structure: "lowRank" },
  lowRankRademacher: { dense: "rademacher", structure: "lowRank" },
};

/** Their names. */
export const DISTRIBUTIONS: readonly Distribution[] = Object.keys(laws) as Distribution[];

/** The distribution whose elements have a law, in directions of a structure. */
export function distributionOf(
  dense: Law["dense"],
  structure: Structure | undefined,
): Distribution {
  return DISTRIBUTIONS.find((name) =>
    laws[name].dense === dense && laws[name].structure === structure
  )!;
}

/** Set bits of the low and of the high 16 bits of a word: counts in bits 0-4 and 16-20. */
export function countHalves(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  x = (x + (x >>> 4)) & 0x0f0f0f0f;
  return (x + (x >>> 8)) & 0x001f001f;
}

/** The element of a 16-bit lane (upper bits ignored). */
export function level(dense: Law["dense"], lane: number): number {
  if (dense === "rademacher") return (lane & 1) * 2 - 1;
  return ((countHalves(lane) & 31) - 8) / 2;
}

/** One of the four 16-bit lanes of two words. */
export function laneOf(words: readonly number[], index: number): number {
  return (words[(index >>> 1) & 1] >>> ((index & 1) * 16)) & 0xffff;
}
