/**
 * The integer scales and minima of a super-block, and the f16 factors above them, that bring its weights nearest to wanted ones while the codes
 * stay.
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

/** What is to be known of a group's codes, as numbers q: a weight is `scale q - minimum`. */
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
  /** Is subtracted; 0 where there are none. */
  readonly min: number;
}

/** Factors to begin from, over an octave: integers fall anew in each. */
const SCALE_STARTS = 48;
/** The same where a minimum's factor is begun from too, and of those. */
const PAIR_STARTS = [24, 8] as const;
/** Beginnings that are gone on with. */
const KEPT_STARTS = 6;
/** Rounds of integers for factors and factors for integers. */
const ROUNDS = 4;
/** Integer scales to either side of the nearest one that a minimum may make better. */
const REACH = 3;

/**
 * Changes `block` to the pairs of scale and minimum whose weights are nearest to the wanted ones in squares. Scale and minimum of a group are
 * chosen together: weights are small differences of the two, so each rounded by itself may leave them further off than they were.
 * Where nothing is nearer than the block as it is, it stays.
 */
export function fitSuperBlock(
  packing: SuperScales,
  block: SuperBlock,
  wanted: readonly WantedGroup[],
  moments: readonly CodeMoments[],
): void {
  const fit = new Fit(packing, wanted, moments);
  const stored = fit.errorOf(block);
  // The same weights again: nothing can be nearer.
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

/** f16 bits, finite. */
function bitsOf(value: number): number {
  return numberToFloat16(Math.min(65504, Math.max(-65504, value)));
}

/** What is wanted of a block's groups, as lists. */
class Fit {
  readonly #packing: SuperScales;
  readonly #count: number;
  readonly #minima: boolean;
  readonly #plus: number;
  readonly #low: number;
  readonly #high: number;
  readonly #scale: Float64Array;
  readonly #min: Float64Array;
  /** Means of the codes, and sums of their squares about it. */
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

  /** Squares of the differences of a group's weights, whose scale is off by `a` and minimum by `b`. */
  #groupError(g: number, a: number, b: number): number {
    const shift = a * this.#mean[g] - b;
    return a * a * this.#spread[g] + shift * shift * this.#count;
  }

  /** Squares of the differences of a block's weights. */
  errorOf({ d, dmin, scales, minima }: SuperBlock): number {
    const [factor, low] = [superFactor(this.#packing, d), float16ToNumber(dmin)];
    let sum = 0;
    for (let g = 0; g < scales.length; g++) {
      const a = factor * (scales[g] + this.#plus) - this.#scale[g];
      sum += this.#groupError(g, a, low * minima[g] - this.#min[g]);
    }
    return sum;
  }

  /** Puts the best integers under the factors into `out`, group by group, and returns their error; Infinity once it is above `limit`. */
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
        // The nearest, then to either side.
        const integer = nearest + (i % 2 === 0 ? i / 2 : -(i + 1) / 2);
        if (integer < low || integer > high) continue;
        const a = factor * (integer + plus) - scale;
        if (a * a * this.#spread[g] >= least) continue;
        // The minimum that the error asks for once the scale is this.
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

  /** The best factors for a block's integers: least squares over all its weights. */
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
    // Of d s q - dmin m: the normal equations have -ab beside the squares.
    const determinant = aa * bb - ab * ab;
    if (!(determinant > 1e-9 * aa * bb)) return;
    block.d = bitsOf((ay * bb - by * ab) / determinant);
    block.dmin = bitsOf((ay * ab - by * aa) / determinant);
  }
}

/** Factors to begin from: as stored, and from those that the largest scale and minimum just fit to twice as large ones. */
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
