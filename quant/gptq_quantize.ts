/**
 * GPTQ (Frantar et al., arXiv 2210.17323): columns are rounded one after the other, and later columns make up for the errors of earlier
 * ones, as far as the second moments of the layer's inputs allow.
 *
 * @module
 */

import { checkValues } from "./check_values.ts";
import { errorFeedback } from "./error_feedback.ts";
import type { Format } from "./format.ts";
import { formatByName } from "./formats.ts";
import { groupFitter } from "./group_fit.ts";
import { type GroupCodes, groupCodes, GroupPlanes } from "./group_planes.ts";
import type { InputStatistics } from "./input_statistics.ts";
import { groupColumns, groupsPerRow, type PackedTensor, type ScalarLayout } from "./layout.ts";
import { emptyPacked } from "./planes.ts";
import { rowProducts } from "./row_products.ts";

/** How GPTQ rounds. */
export interface GptqOptions {
  /** Added to the diagonal of the second moments, as a share of its mean. Default 0.01, as published. */
  readonly damping?: number;
  /**
   * Round columns in the order of their inputs' second moments, largest first. Scales are then fitted to the weights as they were, so
   * that codes stay in their columns (the published `static_groups`). Default false.
   */
  readonly actOrder?: boolean;
  /** Columns after which errors are passed on to all later ones; changes only the time it takes. Default 128. */
  readonly blockSize?: number;
  /** Look for good scales, as `quantize` does. Default true. */
  readonly search?: boolean;
}

/** Quantises `rows x columns` values, row-major, to a format of the table. */
export type Quantizer = (
  values: Float32Array,
  rows: number,
  columns: number,
  formatName: string,
) => PackedTensor;

/** Rows that are taken through all columns together. */
const ROWS_AT_ONCE = 64;

/** Whether GPTQ can quantise to a format: codes whose groups of columns have a scale of their own. */
export function gptqApplies({ layout }: Format): boolean {
  return layout.kind === "scalar";
}

/**
 * Quantises row-major `rows x columns` values with calibration statistics, to any format with codes and a scale per group. The scale of a
 * group is fitted, as by `quantize`, to the weights as earlier columns have changed them. Inputs that were always zero leave their
 * columns rounded to nearest.
 *
 * @param statistics Of the inputs of this layer
 * @throws {RangeError} for an unknown format, one without groups of scalar codes, a shape it cannot hold, values or moments that are not
 * finite, or moments that are not positive definite with this damping.
 * @throws {TypeError} when there are not `rows * columns` values, or the statistics are of other columns.
 *
 * @example Inputs that go together
 * ```ts
 * import { decode, gptqQuantize, quantize } from "@qzo/qzo/quant";
 * import { assert } from "@std/assert";
 *
 * const n = 32;
 * const moments = new Float32Array(n * n).map((_, i) => Math.floor(i / n) === i % n ? 1 : 0.9);
 * const statistics = { columns: n, tokens: 100, moments, magnitudes: new Float32Array(n).fill(0.8) };
 * const values = Float32Array.from({ length: n }, (_, i) => Math.sin(i * i));
 * const errorOfSum = (q: Float32Array) => Math.abs(q.reduce((sum, x, i) => sum + x - values[i], 0));
 * const nearest = errorOfSum(decode(quantize(values, 1, n, "int2_g32")));
 * assert(errorOfSum(decode(gptqQuantize(values, 1, n, "int2_g32", statistics))) < 0.5 * nearest);
 * ```
 */
export function gptqQuantize(
  values: Float32Array,
  rows: number,
  columns: number,
  formatName: string,
  statistics: InputStatistics,
  options: GptqOptions = {},
): PackedTensor {
  return gptqQuantizer(statistics, options)(values, rows, columns, formatName);
}

/**
 * {@linkcode gptqQuantize} for several layers that share their inputs: the second moments are factored once, in f64, which takes
 * `columns³ / 3` operations and 8 bytes for each of `columns²`. A layer takes `rows · columns²`.
 *
 * @throws As {@linkcode gptqQuantize} does for statistics and options; the function it returns for the rest
 */
export function gptqQuantizer(statistics: InputStatistics, options: GptqOptions = {}): Quantizer {
  const { damping = 0.01, actOrder = false, blockSize = 128, search = true } = options;
  const n = statistics.columns;
  if (!(Number.isInteger(blockSize) && blockSize > 0)) {
    throw new RangeError(`Cannot quantise in blocks of ${blockSize} columns: expected 1 or more`);
  }
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  if (actOrder) {
    const power = (i: number) => statistics.moments[i * n + i];
    order.sort((a, b) => power(b) - power(a) || a - b);
  }
  const feedback = errorFeedback(statistics, order, damping);
  return (values, rows, columns, formatName) => {
    const { layout } = formatByName(formatName);
    if (layout.kind !== "scalar") {
      throw new RangeError(
        `Cannot quantise to ${formatName} with GPTQ: it takes formats with codes and a scale per group, such as int4_g128 or Q4_0`,
      );
    }
    const t = emptyPacked(layout, rows, columns);
    checkValues(values, rows, columns, formatName);
    if (n !== columns) {
      throw new TypeError(
        `Cannot quantise ${rows} x ${columns} values with GPTQ: the statistics are of ${n} inputs`,
      );
    }
    const planes = new GroupPlanes(t, layout);
    const fixed = { order, feedback, actOrder, search, blockSize };
    for (let first = 0; first < rows; first += ROWS_AT_ONCE) {
      const count = Math.min(ROWS_AT_ONCE, rows - first);
      quantizeRows({ ...fixed, values, columns, layout, planes }, first, count);
    }
    return t;
  };
}

interface Rounding {
  readonly values: Float32Array;
  readonly columns: number;
  readonly layout: ScalarLayout;
  readonly order: Uint32Array;
  readonly feedback: Float64Array;
  readonly planes: GroupPlanes;
  readonly actOrder: boolean;
  readonly search: boolean;
  readonly blockSize: number;
}

/** Takes `count` rows from `first` on through all columns, which are counted in the order of their rounding. */
function quantizeRows(rounding: Rounding, first: number, count: number): void {
  const { values, columns: n, layout, order, feedback, planes } = rounding;
  const group = groupColumns(layout, n);
  const groups = groupsPerRow(layout, n);
  const fitGroup = groupFitter(layout, rounding.search);
  const codesOf = groupCodes(layout);
  const known = new Array<GroupCodes>(count * groups);
  const fit = (row: number, g: number, weights: Float32Array) => {
    const found = fitGroup(weights);
    planes.setGroup(first + row, g, found);
    known[row * groups + g] = codesOf(found);
  };

  // Scales for the weights as they were: of groups that do not come one after the other, or that begin before anything is rounded.
  const asTheyWere = rounding.actOrder || groups === 1;
  for (let row = 0; asTheyWere && row < count; row++) {
    const weights = values.subarray((first + row) * n, (first + row + 1) * n);
    for (let g = 0; g < groups; g++) fit(row, g, weights.subarray(g * group, (g + 1) * group));
  }

  const block = asTheyWere ? rounding.blockSize : Math.ceil(rounding.blockSize / group) * group;
  const errors = new Float64Array(count * n); // of columns that are rounded, weight minus value
  const earlier = new Float64Array(count * block); // what errors of earlier blocks add to a column
  const codes = new Uint8Array(count * n);
  const compensated = new Float32Array(group);
  for (let start = 0; start < n; start += block) {
    const end = Math.min(n, start + block);
    const width = end - start;
    rowProducts(
      { values: errors, stride: n, first: 0, count },
      { values: feedback, stride: n, first: start, count: width },
      0,
      start,
      earlier,
    );
    for (let row = 0; row < count; row++) {
      const at = row * n;
      const weights = (first + row) * n;
      const added = (k: number): number => {
        let sum = earlier[row * width + k - start];
        for (let j = start; j < k; j++) sum += errors[at + j] * feedback[k * n + j];
        return sum;
      };
      for (let from = start, to; from < end; from = to) {
        to = asTheyWere ? end : Math.min(end, from + group);
        if (!asTheyWere) {
          // The group's weights if none of it were rounded: then its errors would be what earlier ones made of it.
          for (let k = from; k < to; k++) {
            const change = added(k);
            compensated[k - from] = values[weights + k] + change;
            errors[at + k] = -change;
          }
          fit(row, from / group, compensated.subarray(0, to - from));
        }
        for (let k = from; k < to; k++) {
          const column = order[k];
          const { code, value } = known[row * groups + Math.floor(column / group)];
          const chosen = code(values[weights + column] + added(k));
          codes[at + column] = chosen;
          errors[at + k] = values[weights + column] - value(chosen);
        }
      }
    }
  }
  for (let row = 0; row < count; row++) {
    planes.setCodes(first + row, codes.subarray(row * n, (row + 1) * n));
  }
}
