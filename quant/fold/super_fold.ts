/**
 * Folds trained offsets into super-blocks: into the f16 factors if a single offset applies to the super-block, otherwise into the integer scales and
 * minima and the f16 factors that bring the weights nearest to the trained ones.
 *
 * @module
 */

import { float16ToNumber, numberToFloat16 } from "../layouts/float16.ts";
import { FLOAT_CODECS } from "../layouts/float_codecs.ts";
import type { PackedTensor, SuperLayout } from "../layouts/layout.ts";
import {
  addTally,
  type Beyond,
  type FoldTally,
  type OffsetFold,
  offsetFold,
} from "./offset_fold.ts";
import { planeBytes } from "../layouts/planes.ts";
import { type CodeMoments, fitSuperBlock } from "./super_fit.ts";
import { superByte, superRows } from "../layouts/super_rows.ts";
import {
  emptySuperBlock,
  readSuperBlock,
  SUPER_SCALES,
  type SuperBlock,
  superFactor,
  writeSuperBlock,
} from "../layouts/super_scales.ts";

const LARGEST_FLOAT16 = 65504;

/**
 * Folds relative offsets into a copy of the scales; codes are shared.
 *
 * If a single offset applies to a super-block, it is folded into `d` and, if present, `dmin`, which are counted. If several do, each group with a
 * non-zero offset counts once, as changed if its scale or minimum is now a different number. Exponents (MXFP4) become the nearest power of two, so
 * offsets of at least -0.25 and less than 0.5 are swallowed.
 *
 * @param offsetAt Returns the offset of a row and column.
 * @param beyond What to do with factors outside the range of their type.
 * @throws {RangeError} for an offset that is not finite.
 */
export function foldSuper(
  t: PackedTensor,
  layout: SuperLayout,
  offsetAt: (row: number, column: number) => number,
  beyond: Beyond = "keep",
): { tensor: PackedTensor } & FoldTally {
  const tensor = { ...t, scales: t.scales.slice() };
  const { columns: width, group } = SUPER_SCALES[layout.scales];
  const bytes = planeBytes(tensor.scales);
  const counts: FoldTally = { swallowed: 0, changed: 0 };
  const fold = layout.scales === "e8m0"
    ? powerFold(beyond)
    : offsetFold("relative", FLOAT_CODECS.f16, beyond);
  const block = emptySuperBlock(layout.scales);
  const groups = width / group;
  const moments = codeMoments(t, layout);
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
        refit(layout, block, offsets, moments(row, b), counts);
      }
      writeSuperBlock(layout.scales, bytes, at, block);
    }
  }
  addTally(counts, fold.counts);
  return { tensor, ...counts };
}

/** Returns the sums over the codes of each group of a super-block. */
type MomentsAt = (row: number, block: number) => CodeMoments[];

/** Reads codes as numbers, by decoding a copy whose scales are 1 and whose minima are 0. */
function codeMoments(t: PackedTensor, layout: SuperLayout): MomentsAt {
  const { columns: width, group, plus = 0 } = SUPER_SCALES[layout.scales];
  const unit = { ...t, scales: t.scales.slice() };
  const bytes = planeBytes(unit.scales);
  const block = emptySuperBlock(layout.scales);
  block.scales.fill(1);
  block.d = numberToFloat16(1);
  const values = new Float32Array(t.columns);
  let read = -1;
  return (row, b) => {
    if (read !== row) {
      for (let at = 0; at < t.columns / width; at++) {
        writeSuperBlock(layout.scales, bytes, superByte(layout, t.columns, row, at), block);
      }
      superRows(unit, layout)(row, values, 0);
      read = row;
    }
    return Array.from({ length: width / group }, (_, g) => {
      let [sum, squares] = [0, 0];
      const from = b * width + g * group;
      for (let k = from; k < from + group; k++) {
        const q = values[k] / (1 + plus);
        sum += q;
        squares += q * q;
      }
      return { sum, squares };
    });
  };
}

function refit(
  layout: SuperLayout,
  block: SuperBlock,
  offsets: readonly number[],
  moments: readonly CodeMoments[],
  counts: FoldTally,
): void {
  const { range } = SUPER_SCALES[layout.scales];
  const before = offsets.map((_, g) => effective(layout, block, g));
  const wanted = before.map(([scale, min], g) => ({
    scale: scale * (1 + offsets[g]),
    min: min * (1 + offsets[g]),
  }));
  fitSuperBlock(layout.scales, block, wanted, moments);
  offsets.forEach((offset, g) => {
    if (offset === 0) return;
    const [scale, min] = effective(layout, block, g);
    if (scale === before[g][0] && min === before[g][1]) counts.swallowed++;
    else counts.changed++;
    // The largest integer times the largest factor; larger values cannot be stored.
    const reach = LARGEST_FLOAT16 * Math.max(...range.map(Math.abs));
    if (Math.max(Math.abs(wanted[g].scale), Math.abs(wanted[g].min)) <= reach) return;
    counts.exceeded = (counts.exceeded ?? 0) + 1;
  });
}

function effective(layout: SuperLayout, block: SuperBlock, g: number): [number, number] {
  const { plus = 0 } = SUPER_SCALES[layout.scales];
  return [
    superFactor(layout.scales, block.d) * (block.scales[g] + plus),
    float16ToNumber(block.dmin) * block.minima[g],
  ];
}

function powerFold(beyond: Beyond): OffsetFold {
  const counts: FoldTally = { swallowed: 0, changed: 0 };
  return {
    counts,
    apply(exponent, offset): number {
      if (offset === 0) return exponent;
      const factor = 1 + offset;
      // Values are rounded at the mean of neighbouring powers.
      const down = factor > 0 ? Math.floor(Math.log2(factor)) : 0;
      const steps = factor > 0 && factor >= 1.5 * 2 ** down ? down + 1 : down;
      let folded = exponent + steps;
      if (folded > 254) {
        counts.exceeded = (counts.exceeded ?? 0) + 1;
        if (beyond === "clamp") folded = 254;
      }
      if (folded === exponent || folded < 0 || folded > 254) {
        counts.swallowed++;
        return exponent;
      }
      counts.changed++;
      return folded;
    },
  };
}
