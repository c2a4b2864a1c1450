/**
 * Fits the integer scales and minima of a super-block, and their f16 factors, to wanted weights. The codes do not change.
 *
 * @module
 */

import { float16ToNumber, numberToFloat16 } from "../layouts/float16.ts";
import {
  SUPER_SCALES,
  type SuperBlock,
  superFactor,
  type SuperScales,
} from "../layouts/super_scales.ts";

/** Sums over a group's codes as numbers q, where a weight is `scale q - minimum`. */
export interface CodeMoments {
  /** Sum of q. */
  readonly sum: number;
  /** Sum of q squared. */
  readonly squares: number;
}

/** A scale and a minimum for each group, as numbers. */
export interface WantedGroup {
  /** Multiplies q. */
  readonly scale: number;
  /** Subtracted; 0 if there are no minima. */
  readonly min: number;
}

/** Number of initial factors, spread over an octave: each gives other integers. */
const SCALE_STARTS = 48;
/** Number of initial factors of scales and of minima, if there are both. */
const PAIR_STARTS = [24, 8] as const;
/** Number of best initial factors that are refined. */
const KEPT_STARTS = 6;
/** Rounds of choosing integers for factors and factors for integers. */
const ROUNDS = 4;
/** Number of integer scales to try on either side of the nearest one, because with its own minimum another may be better. */
const REACH = 3;

/**
 * Changes `block` to the scales and minima whose weights have the least squared error against the wanted ones. Scale and minimum of a group are
 * chosen together: weights are small differences of the two, so rounding each by itself could increase the error. If nothing better is found, the
 * block is unchanged.
 */
export function fitSuperBlock(
  packing: SuperScales,
  block: SuperBlock,
  wanted: readonly WantedGroup[],
  moments: readonly CodeMoments[],
): void {
  const fit = new Fit(packing, wanted, moments);
  const stored = fit.errorOf(block);
  // The weights are already the wanted ones.
  if (!(stored > 0)) return;
  const tried = copyOf(block);
  const kept: { readonly d: number; readonly dmin: number; readonly error: number }[] = [];
  let limit = Infinity;
  for (const [d, dmin] of starts(packing, block, wanted)) {
    const error = fit.choose(d, dmin, tried, limit);
    if (!(error < limit)) continue;
    kept.push({ d, dmin, error });
    kept.sort((one, other) => one.error - other.error);
    if (kept.length > KEPT_STARTS) kept.pop();
    if (kept.length === KEPT_STARTS) limit = kept[KEPT_STARTS - 1].error;
  }
  let best = copyOf(block);
  let least = stored;
  for (const { d, dmin } of kept) {
    tried.d = d;
    tried.dmin = dmin;
    for (let round = 0; round < ROUNDS; round++) {
      const error = fit.choose(tried.d, tried.dmin, tried, Infinity);
      if (error < least) [best, least] = [copyOf(tried), error];
      const before = [tried.d, tried.dmin];
      fit.chooseFactors(tried);
      if (tried.d === before[0] && tried.dmin === before[1]) break;
      const moved = fit.errorOf(tried);
      if (moved < least) [best, least] = [copyOf(tried), moved];
    }
  }
  block.d = best.d;
  block.dmin = best.dmin;
  block.scales.set(best.scales);
  block.minima.set(best.minima);
}

function copyOf({ d, dmin, scales, minima }: SuperBlock): SuperBlock {
  return { d, dmin, scales: scales.slice(), minima: minima.slice() };
}

/** Bits of the nearest finite f16. */
function bitsOf(value: number): number {
  return numberToFloat16(Math.min(65504, Math.max(-65504, value)));
}

/** The wanted scales and minima of a block's groups, and the error of a block against them. */
class Fit {
  readonly #packing: SuperScales;
  readonly #count: number;
  readonly #minima: boolean;
  readonly #plus: number;
  readonly #low: number;
  readonly #high: number;
  readonly #scale: Float64Array;
  readonly #min: Float64Array;
  /** Mean of the codes by group; `#spread` has the sums of squares about the mean. */
  readonly #mean: Float64Array;
  readonly #spread: Float64Array;

  constructor(
    packing: SuperScales,
    wanted: readonly WantedGroup[],
    moments: readonly CodeMoments[],
  ) {
    const { group: count, range: [low, high], minima, plus = 0 } = SUPER_SCALES[packing];
    this.#packing = packing;
    this.#count = count;
    this.#minima = minima;
    this.#plus = plus;
    this.#low = low;
    this.#high = high;
    this.#scale = Float64Array.from(wanted, ({ scale }) => scale);
    this.#min = Float64Array.from(wanted, ({ min }) => min);
    this.#mean = Float64Array.from(moments, ({ sum }) => sum / count);
    this.#spread = Float64Array.from(
      moments,
      ({ sum, squares }) => Math.max(0, squares - sum * sum / count),
    );
  }

  /** Squared error of a group's weights if its scale is off by `a` and its minimum by `b`. */
  #groupError(g: number, a: number, b: number): number {
    const shift = a * this.#mean[g] - b;
    return a * a * this.#spread[g] + shift * shift * this.#count;
  }

  /** Squared error of a block's weights. */
  errorOf({ d, dmin, scales, minima }: SuperBlock): number {
    const [factor, low] = [superFactor(this.#packing, d), float16ToNumber(dmin)];
    let sum = 0;
    for (let g = 0; g < scales.length; g++) {
      const a = factor * (scales[g] + this.#plus) - this.#scale[g];
      sum += this.#groupError(g, a, low * minima[g] - this.#min[g]);
    }
    return sum;
  }

  /** Writes the best integers for the factors into `out`, group by group, and returns their error, or Infinity if it exceeds `limit`. */
  choose(d: number, dmin: number, out: SuperBlock, limit: number): number {
    const [low, high, plus] = [this.#low, this.#high, this.#plus];
    const factor = superFactor(this.#packing, d);
    const below = float16ToNumber(dmin);
    let sum = 0;
    for (let g = 0; g < this.#scale.length; g++) {
      const scale = this.#scale[g];
      const min = this.#min[g];
      const nearest = factor === 0
        ? Math.max(0, low)
        : Math.min(high, Math.max(low, Math.round(scale / factor - plus))) + 0;
      let least = Infinity;
      const reach = this.#minima ? REACH : 0;
      for (let i = 0; i <= 2 * reach; i++) {
        // The nearest integer first, then those on either side.
        const integer = nearest + (i % 2 === 0 ? i / 2 : -(i + 1) / 2);
        if (integer < low || integer > high) continue;
        const a = factor * (integer + plus) - scale;
        if (a * a * this.#spread[g] >= least) continue;
        // The minimum with the least error for this scale.
        const asked = below === 0 ? 0 : Math.round((min + a * this.#mean[g]) / below);
        const own = this.#minima ? Math.min(high, Math.max(0, asked)) + 0 : 0;
        const error = this.#groupError(g, a, below * own - min);
        if (error < least) {
          least = error;
          out.scales[g] = integer;
          if (this.#minima) out.minima[g] = own;
        }
      }
      sum += least;
      if (sum > limit) return Infinity;
    }
    return sum;
  }

  /** Sets the best factors for a block's integers, by least squares over all its weights. */
  chooseFactors(block: SuperBlock): void {
    const count = this.#count;
    let [aa, ab, bb, ay, by] = [0, 0, 0, 0, 0];
    for (let g = 0; g < block.scales.length; g++) {
      const sum = this.#mean[g] * count;
      const squares = this.#spread[g] + sum * this.#mean[g];
      const [s, m] = [block.scales[g] + this.#plus, block.minima[g]];
      aa += s * s * squares;
      ab += s * m * sum;
      bb += m * m * count;
      ay += s * (this.#scale[g] * squares - this.#min[g] * sum);
      by += m * (this.#scale[g] * sum - this.#min[g] * count);
    }
    if (!this.#minima || bb === 0) {
      if (aa > 0) block.d = bitsOf(ay / aa);
      return;
    }
    // For d s q - dmin m, the off-diagonal elements of the normal equations are -ab.
    const determinant = aa * bb - ab * ab;
    if (!(determinant > 1e-9 * aa * bb)) return;
    block.d = bitsOf((ay * bb - by * ab) / determinant);
    block.dmin = bitsOf((ay * ab - by * aa) / determinant);
  }
}

/** Initial factors: the stored ones, and those from where the largest scale and minimum just fit up to about twice as large. */
function starts(
  packing: SuperScales,
  { d, dmin }: SuperBlock,
  wanted: readonly WantedGroup[],
): [number, number][] {
  const { range: [low, high], plus = 0, minima } = SUPER_SCALES[packing];
  const largest = (values: readonly number[]) =>
    values.reduce((most, x) => Math.abs(x) > Math.abs(most) ? x : most, 0);
  const octave = (value: number, count: number) =>
    Array.from({ length: count }, (_, i) => bitsOf(value * 2 ** ((i - 1) / count)));
  const scale = largest(wanted.map((group) => group.scale));
  const min = largest(wanted.map((group) => group.min));
  const found: [number, number][] = [[d, dmin]];
  for (const end of low < 0 ? [low, high] : [high]) {
    const [scales, mins] = minima ? PAIR_STARTS : [SCALE_STARTS, 0];
    for (const first of octave(scale / (end + plus), scales)) {
      if (!minima) found.push([first, dmin]);
      else for (const second of octave(min / high, mins)) found.push([first, second]);
    }
  }
  return found;
}
