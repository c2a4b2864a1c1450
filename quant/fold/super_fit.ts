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

/** Squares of the differences of a group's weights: of `count` codes, whose scale is off by `a` and minimum by `b`. */
function groupError(a: number, b: number, count: number, { sum, squares }: CodeMoments): number {
  return a * a * squares - 2 * a * b * sum + b * b * count;
}

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
  const { group: count, minima, plus = 0 } = SUPER_SCALES[packing];
  const errorOf = ({ d, dmin, scales, minima: mins }: SuperBlock): number => {
    const [factor, low] = [superFactor(packing, d), float16ToNumber(dmin)];
    return wanted.reduce((sum, { scale, min }, g) => {
      const [a, b] = [factor * (scales[g] + plus) - scale, low * mins[g] - min];
      return sum + groupError(a, b, count, moments[g]);
    }, 0);
  };
  let best = copyOf(block);
  let least = errorOf(block);
  // The same weights again: nothing can be nearer.
  if (!(least > 0)) return;
  const begun = starts(packing, block, wanted).map(([d, dmin]) => {
    const tried = { ...copyOf(block), d, dmin };
    chooseIntegers(packing, tried, wanted, moments);
    return { tried, error: errorOf(tried) };
  }).sort((one, other) => one.error - other.error).slice(0, KEPT_STARTS);
  for (const { tried } of begun) {
    for (let round = 0; round < ROUNDS; round++) {
      if (round > 0) chooseIntegers(packing, tried, wanted, moments);
      const error = errorOf(tried);
      if (error < least) [best, least] = [copyOf(tried), error];
      const before = [tried.d, tried.dmin];
      chooseFactors(tried, wanted, moments, { count, plus, minima });
      if (tried.d === before[0] && tried.dmin === before[1]) break;
      const moved = errorOf(tried);
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

/** The best integers under the factors, group by group. */
function chooseIntegers(
  packing: SuperScales,
  block: SuperBlock,
  wanted: readonly WantedGroup[],
  moments: readonly CodeMoments[],
): void {
  const { group: count, range: [low, high], minima, plus = 0 } = SUPER_SCALES[packing];
  const factor = superFactor(packing, block.d);
  const below = float16ToNumber(block.dmin);
  const within = (x: number, from: number) => Math.min(high, Math.max(from, Math.round(x))) + 0;
  wanted.forEach(({ scale, min }, g) => {
    const nearest = factor === 0 ? Math.max(0, low) : within(scale / factor - plus, low);
    if (!minima) {
      block.scales[g] = nearest;
      return;
    }
    let least = Infinity;
    const [from, to] = [Math.max(low, nearest - REACH), Math.min(high, nearest + REACH)];
    for (let integer = from; integer <= to; integer++) {
      const a = factor * (integer + plus) - scale;
      // The minimum that the error asks for once the scale is this.
      const asked = min + a * moments[g].sum / count;
      const own = below === 0 ? 0 : within(asked / below, 0);
      const error = groupError(a, below * own - min, count, moments[g]);
      if (error < least) {
        least = error;
        block.scales[g] = integer;
        block.minima[g] = own;
      }
    }
  });
}

/** The best factors for the integers: least squares over all weights of the block. */
function chooseFactors(
  block: SuperBlock,
  wanted: readonly WantedGroup[],
  moments: readonly CodeMoments[],
  { count, plus, minima }: {
    readonly count: number;
    readonly plus: number;
    readonly minima: boolean;
  },
): void {
  let [aa, ab, bb, ay, by] = [0, 0, 0, 0, 0];
  wanted.forEach(({ scale, min }, g) => {
    const { sum, squares } = moments[g];
    const [s, m] = [block.scales[g] + plus, block.minima[g]];
    aa += s * s * squares;
    ab += s * m * sum;
    bb += m * m * count;
    ay += s * (scale * squares - min * sum);
    by += m * (scale * sum - min * count);
  });
  if (!minima || bb === 0) {
    if (aa > 0) block.d = bitsOf(ay / aa);
    return;
  }
  // Of d s q - dmin m: the normal equations have -ab beside the squares.
  const determinant = aa * bb - ab * ab;
  if (!(determinant > 1e-9 * aa * bb)) return;
  block.d = bitsOf((ay * bb - by * ab) / determinant);
  block.dmin = bitsOf((ay * ab - by * aa) / determinant);
}
