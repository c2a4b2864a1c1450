/**
 * Chooses the f16 factor of a super-block that brings the wanted scales close to integers in the range of their packing.
 *
 * @module
 */

import { numberToFloat16, roundToFloat16 } from "./float16.ts";
import { SUPER_SCALES, type SuperScales } from "./super_scales.ts";

/** Candidates, relative to the factor that brings the largest scale to the end of the range. */
const FACTORS = [1, 0.98, 0.96, 1.02, 0.94, 1.04];
const LARGEST_FLOAT16 = 65504;

/**
 * The f16 bits of the factor whose integers approximate `wanted` with the least squared error, weighted by `sizes`. Without `search`, only the
 * factors that reach an end of the range are candidates.
 */
export function chooseFactor(
  wanted: readonly number[],
  sizes: readonly number[],
  packing: SuperScales,
  search: boolean,
): number {
  const { range, plus = 0 } = SUPER_SCALES[packing];
  const extreme = wanted.reduce((most, x) => Math.abs(x) > Math.abs(most) ? x : most, 0);
  const reaching = [extreme / (range[1] + plus)];
  if (range[0] < 0) reaching.push(extreme / range[0]);
  let best = 0;
  let least = Infinity;
  for (const factor of search ? FACTORS : [1]) {
    for (const candidate of reaching) {
      const rounded = roundToFloat16(
        Math.min(LARGEST_FLOAT16, Math.max(-LARGEST_FLOAT16, candidate * factor)),
      ) + 0;
      const error = wanted.reduce(
        (sum, x, g) =>
          sum + sizes[g] * (x - rounded * (nearestInteger(x, rounded, packing) + plus)) ** 2,
        0,
      );
      if (error < least) [best, least] = [rounded, error];
    }
  }
  return numberToFloat16(best);
}

/** The integer in range that is closest to `x` when multiplied by a factor. */
export function nearestInteger(x: number, factor: number, packing: SuperScales): number {
  const { range: [low, high], plus = 0 } = SUPER_SCALES[packing];
  if (factor === 0) return 0;
  return Math.min(high, Math.max(low, Math.round(x / factor - plus))) + 0;
}
