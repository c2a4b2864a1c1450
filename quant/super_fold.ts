/**
 * Folding trained offsets into super-blocks: into the f16 factors where a span covers the super-block, else into the nearest
 * integer scales and minima that some f16 factor allows.
 *
 * @module
 */

import { float16ToNumber, numberToFloat16 } from "./float16.ts";
import { FLOAT_CODECS } from "./float_codecs.ts";
import type { PackedTensor, SuperLayout } from "./layout.ts";
import { offsetFold } from "./offset_fold.ts";
import { planeBytes } from "./planes.ts";
import { superByte } from "./super_rows.ts";
import {
  emptySuperBlock,
  readSuperBlock,
  SUPER_SCALES,
  type SuperBlock,
  superFactor,
  writeSuperBlock,
} from "./super_scales.ts";

/** Factors to try beside the stored one: within a tenth of what reaches the range. */
const STEPS = 40;

/**
 * Folds relative offsets into a copy of the scales; codes are shared.
 *
 * Where one offset covers a super-block it is folded into `d` and, where there is one, `dmin`: those are counted. Where several
 * meet in a super-block each group with an offset counts once: as changed when its scale or minimum is another number now.
 * Exponents (MXFP4) become the nearest power of two, so offsets below a third or so are swallowed.
 *
 * @param offsetAt The offset of a row and column.
 * @throws {RangeError} for an offset that is not finite.
 */
export function foldSuper(
  t: PackedTensor,
  layout: SuperLayout,
  offsetAt: (row: number, column: number) => number,
): { tensor: PackedTensor; swallowed: number; changed: number } {
  const tensor = { ...t, scales: t.scales.slice() };
  const { columns: width, group } = SUPER_SCALES[layout.scales];
  const bytes = planeBytes(tensor.scales);
  const counts = { swallowed: 0, changed: 0 };
  const fold = layout.scales === "e8m0" ? powerFold() : offsetFold("relative", FLOAT_CODECS.f16);
  const block = emptySuperBlock(layout.scales);
  const groups = width / group;
  for (let row = 0; row < t.rows; row++) {
    for (let b = 0; b < t.columns / width; b++) {
      const offsets = Array.from({ length: groups }, (_, g) => {
        const offset = offsetAt(row, b * width + g * group);
        if (!Number.isFinite(offset)) throw new RangeError(`Cannot fold an offset of ${offset}`);
        return offset;
      });
      if (offsets.every((offset) => offset === 0)) continue;
      const at = superByte(layout, t.columns, row, b);
      readSuperBlock(layout.scales, bytes, at, block);
      if (offsets.every((offset) => offset === offsets[0])) {
        block.d = fold.apply(block.d, offsets[0]);
        if (SUPER_SCALES[layout.scales].minima) block.dmin = fold.apply(block.dmin, offsets[0]);
      } else {
        refit(layout, block, offsets, counts);
      }
      writeSuperBlock(layout.scales, bytes, at, block);
    }
  }
  return {
    tensor,
    swallowed: counts.swallowed + fold.counts.swallowed,
    changed: counts.changed + fold.counts.changed,
  };
}

function refit(
  layout: SuperLayout,
  block: SuperBlock,
  offsets: readonly number[],
  counts: { swallowed: number; changed: number },
): void {
  const { range, minima, plus = 0 } = SUPER_SCALES[layout.scales];
  const before = offsets.map((_, g) => effective(layout, block, g));
  block.d = nearestFactor(
    block.d,
    before.map(([scale], g) => scale * (1 + offsets[g])),
    range,
    block.scales,
    plus,
  );
  if (minima) {
    block.dmin = nearestFactor(
      block.dmin,
      before.map(([, min], g) => min * (1 + offsets[g])),
      range,
      block.minima,
    );
  }
  offsets.forEach((offset, g) => {
    if (offset === 0) return;
    const [scale, min] = effective(layout, block, g);
    if (scale === before[g][0] && min === before[g][1]) counts.swallowed++;
    else counts.changed++;
  });
}

function effective(layout: SuperLayout, block: SuperBlock, g: number): [number, number] {
  const { plus = 0 } = SUPER_SCALES[layout.scales];
  return [
    superFactor(layout.scales, block.d) * (block.scales[g] + plus),
    float16ToNumber(block.dmin) * block.minima[g],
  ];
}

/** The f16 bits whose multiples, by integers and `plus`, come nearest to `wanted` (in squares); writes the integers. */
function nearestFactor(
  stored: number,
  wanted: readonly number[],
  range: readonly [number, number],
  integers: Int16Array,
  plus = 0,
): number {
  const [low, high] = range;
  const integerOf = (x: number, factor: number): number =>
    factor === 0 ? 0 : Math.min(high, Math.max(low, Math.round(x / factor - plus))) + 0;
  let best = stored;
  let least = Infinity;
  const consider = (bits: number): void => {
    const factor = float16ToNumber(bits);
    if (!Number.isFinite(factor)) return;
    let error = 0;
    for (const x of wanted) error += (x - factor * (integerOf(x, factor) + plus)) ** 2;
    if (error < least) [best, least] = [bits, error];
  };
  consider(stored);
  const extreme = wanted.reduce((most, x) => Math.abs(x) > Math.abs(most) ? x : most, 0);
  for (const end of low < 0 ? [low, high] : [high]) {
    for (let step = -STEPS; step <= STEPS; step++) {
      consider(numberToFloat16(extreme / (end + plus) * (1 + 0.1 * step / STEPS)));
    }
  }
  const factor = float16ToNumber(best);
  wanted.forEach((x, g) => integers[g] = integerOf(x, factor));
  return best;
}

function powerFold(): {
  apply(bits: number, offset: number): number;
  counts: { swallowed: number; changed: number };
} {
  const counts = { swallowed: 0, changed: 0 };
  return {
    counts,
    apply(exponent, offset): number {
      if (offset === 0) return exponent;
      const factor = 1 + offset;
      // The border between neighbouring powers is their mean.
      const down = factor > 0 ? Math.floor(Math.log2(factor)) : 0;
      const steps = factor > 0 && factor >= 1.5 * 2 ** down ? down + 1 : down;
      const folded = exponent + steps;
      if (steps === 0 || folded < 0 || folded > 254) {
        counts.swallowed++;
        return exponent;
      }
      counts.changed++;
      return folded;
    },
  };
}
