/**
 * Round-to-nearest quantisation to super-blocks: groups are fitted one by one, their scales and minima are rounded to integers with the super-block's
 * f16 factors, and for each group the neighbouring integers with the least squared error are chosen.
 *
 * @module
 */

import { CODE_TABLES } from "../layouts/code_tables.ts";
import type { Computation } from "./computation.ts";
import { float16ToNumber } from "../layouts/float16.ts";
import { quantizeGrid } from "./grid_quantize.ts";
import { gridNamed } from "../layouts/grids.ts";
import { groupFitter } from "./group_fit.ts";
import type { PackedTensor, SuperLayout } from "../layouts/layout.ts";
import { planeBytes } from "../layouts/planes.ts";
import { writeCodes } from "../layouts/scalar_codes.ts";
import { chooseFactor, nearestInteger } from "../layouts/super_factor.ts";
import { superByte } from "../layouts/super_rows.ts";
import {
  emptySuperBlock,
  SUPER_SCALES,
  superFactor,
  writeSuperBlock,
} from "../layouts/super_scales.ts";
import { nearestCode } from "./table_fit.ts";

const SHRINKS = 20;
const REFINEMENTS = 3;

interface Fit {
  readonly scale: number;
  readonly min: number;
}

/** Adjacent values of a row, and the weights of their squared errors. */
interface Group {
  readonly values: Float32Array;
  readonly importance: Float32Array;
}

/** Quantises row-major finite `values` into `t`, which has the layout `layout`. `importance` gives the weight of each column. */
export function* quantizeSuper(
  values: Float32Array,
  t: PackedTensor,
  layout: SuperLayout,
  importance: Float32Array,
  search: boolean,
): Computation<void> {
  const grid = gridNamed(layout.scales);
  if (grid) return yield* quantizeGrid(values, t, layout, grid, importance, search);
  const { rows, columns } = t;
  const { columns: width, group } = SUPER_SCALES[layout.scales];
  const bytes = planeBytes(t.codes);
  const scaleBytes = planeBytes(t.scales);
  const codes = new Uint8Array(columns);
  const quantizeBlock = layout.scales === "e8m0"
    ? powerOfTwoBlock(layout, search)
    : superBlock(layout, search);
  for (let row = 0; row < rows; row++) {
    for (let b = 0; b < columns / width; b++) {
      const from = row * columns + b * width;
      const place = superByte(layout, columns, row, b);
      const block = quantizeBlock(
        Array.from({ length: width / group }, (_, g) => ({
          values: values.subarray(from + g * group, from + (g + 1) * group),
          importance: importance.subarray(b * width + g * group, b * width + (g + 1) * group),
        })),
        codes.subarray(b * width, (b + 1) * width),
      );
      writeSuperBlock(layout.scales, scaleBytes, place, block);
    }
    writeCodes(codes, layout.bits, columns / 32, bytes, row * columns * layout.bits / 8);
    yield;
  }
}

type BlockQuantizer = (
  groups: readonly Group[],
  codes: Uint8Array,
) => ReturnType<typeof emptySuperBlock>;

function superBlock(layout: SuperLayout, search: boolean): BlockQuantizer {
  const { minima, range, group } = SUPER_SCALES[layout.scales];
  const fit = minima ? minimumFitter(layout, search) : centredFitter(layout, search);
  const coder = groupCoder(layout);
  return (groups, codes) => {
    const block = emptySuperBlock(layout.scales);
    const fits = groups.map(fit);
    const sizes = groups.map(({ importance }) => importance.reduce((sum, weight) => sum + weight));
    block.d = chooseFactor(fits.map(({ scale }) => scale), sizes, layout.scales, search);
    const d = float16ToNumber(block.d);
    if (minima) block.dmin = chooseFactor(fits.map(({ min }) => min), sizes, layout.scales, search);
    const dmin = float16ToNumber(block.dmin);
    const reach = search ? 1 : 0;
    fits.forEach(({ scale, min }, g) => {
      const wanted = nearestInteger(scale, d, layout.scales);
      const wantedMin = nearestInteger(min, dmin, layout.scales);
      let least = Infinity;
      for (let i = wanted - reach; i <= wanted + reach; i++) {
        if (i < range[0] || i > range[1]) continue;
        for (let j = wantedMin - reach; j <= wantedMin + reach; j++) {
          if (j !== wantedMin && !minima || j < range[0] || j > range[1]) continue;
          const error = coder.error(groups[g], d * i, dmin * j);
          if (!(error < least)) continue;
          least = error;
          block.scales[g] = i;
          block.minima[g] = minima ? j : 0;
        }
      }
      const own = codes.subarray(g * group, (g + 1) * group);
      coder.write(groups[g].values, d * block.scales[g], dmin * block.minima[g], own);
    });
    return block;
  };
}

/** Chooses the exponent of a block. With `search`, also tries the two below the one that reaches the largest magnitude. */
function powerOfTwoBlock(layout: SuperLayout, search: boolean): BlockQuantizer {
  const coder = groupCoder(layout);
  const largest = layout.table ? Math.max(...CODE_TABLES[layout.table]) : 1;
  return ([group], codes) => {
    const { values } = group;
    const block = emptySuperBlock(layout.scales);
    block.scales[0] = 1;
    const extreme = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const reaching = extreme === 0 ? 127 : Math.ceil(Math.log2(extreme / largest)) + 127;
    let least = Infinity;
    for (let e = reaching - (search ? 2 : 0); e <= reaching; e++) {
      const clamped = Math.min(254, Math.max(0, e));
      const error = coder.error(group, superFactor(layout.scales, clamped), 0);
      if (!(error < least)) continue;
      least = error;
      block.d = clamped;
    }
    coder.write(values, superFactor(layout.scales, block.d), 0, codes);
    return block;
  };
}

/** The nearest codes of a group and their squared error. */
function groupCoder(layout: SuperLayout): {
  error(group: Group, scale: number, min: number): number;
  write(values: Float32Array, scale: number, min: number, codes: Uint8Array): void;
} {
  const { bits, center, table } = layout;
  const largest = 2 ** bits - 1;
  const meanings = table
    ? CODE_TABLES[table]
    : Float32Array.from({ length: largest + 1 }, (_, q) => q - center);
  const nearest = table ? nearestCode(table) : (value: number): number => {
    const code = Math.floor(value + center + 0.5);
    return code < 0 ? 0 : code > largest ? largest : code;
  };
  const codeOf = (x: number, inverse: number, min: number): number => nearest((x + min) * inverse);
  return {
    error({ values, importance }, scale, min): number {
      const inverse = scale === 0 ? 0 : 1 / scale;
      let error = 0;
      for (let k = 0; k < values.length; k++) {
        const x = values[k];
        const missed = x + min - scale * meanings[codeOf(x, inverse, min)];
        error += importance[k] * missed * missed;
      }
      return error;
    },
    write(values, scale, min, codes): void {
      const inverse = scale === 0 ? 0 : 1 / scale;
      for (let k = 0; k < values.length; k++) codes[k] = codeOf(values[k], inverse, min);
    },
  };
}

function centredFitter(layout: SuperLayout, search: boolean): (group: Group) => Fit {
  const { center, table } = layout;
  const bits = layout.bits as Exclude<SuperLayout["bits"], 1>;
  const { group } = SUPER_SCALES[layout.scales];
  const fit = groupFitter({ kind: "scalar", bits, center, second: "none", group, table }, search);
  return ({ values, importance }) => ({
    scale: float16ToNumber(fit(values, importance).scale),
    min: 0,
  });
}

/** Fits non-negative scales and minima. The range of a group always includes 0. */
function minimumFitter(layout: SuperLayout, search: boolean): (group: Group) => Fit {
  const largest = 2 ** layout.bits - 1;
  const coder = groupCoder(layout);
  return (group) => {
    const { values } = group;
    let best: Fit = { scale: 0, min: 0 };
    let least = Infinity;
    const consider = (scale: number, min: number): boolean => {
      const error = coder.error(group, scale, min);
      if (!(error < least)) return false;
      [best, least] = [{ scale, min }, error];
      return true;
    };
    const low = Math.min(0, ...values);
    const high = Math.max(0, ...values);
    for (let step = 0; step <= (search ? SHRINKS : 0); step++) {
      const half = (high - low) / 2 * (1 - 0.5 * step / SHRINKS);
      const bottom = Math.min(0, (low + high) / 2 - half);
      consider(2 * half / largest, -bottom);
    }
    const codes = new Uint8Array(values.length);
    for (let i = 0; search && best.scale > 0 && i < REFINEMENTS; i++) {
      coder.write(values, best.scale, best.min, codes);
      const next = leastSquares(group, codes);
      if (!next || !consider(next.scale, next.min)) break;
    }
    return best;
  };
}

function leastSquares({ values, importance }: Group, codes: Uint8Array): Fit | undefined {
  let [sum, sumQ, sumX, sumQQ, sumQX] = [0, 0, 0, 0, 0];
  for (let k = 0; k < values.length; k++) {
    const weight = importance[k];
    sum += weight;
    sumQ += weight * codes[k];
    sumX += weight * values[k];
    sumQQ += weight * codes[k] * codes[k];
    sumQX += weight * codes[k] * values[k];
  }
  const determinant = sum * sumQQ - sumQ * sumQ;
  if (determinant === 0) return undefined;
  const scale = (sum * sumQX - sumQ * sumX) / determinant;
  const min = (scale * sumQ - sumX) / sum;
  const fit = min >= 0 ? { scale, min } : { scale: sumQX / sumQQ, min: 0 };
  return fit.scale > 0 ? fit : undefined;
}
