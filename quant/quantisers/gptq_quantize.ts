/**
 * GPTQ (Frantar et al., arXiv 2210.17323): columns are rounded one after another, and later columns compensate for the
 * errors of earlier ones, to the extent that the second moments of the layer's inputs allow.
 *
 * @module
 */

import { checkValues } from "./check_values.ts";
import { type Computation, runHere, sharedFloats } from "./computation.ts";
import { type ErrorFeedback, errorFeedback } from "./error_feedback.ts";
import type { Format } from "../formats/format.ts";
import { formatByName } from "../formats/formats.ts";
import { groupFitter } from "./group_fit.ts";
import { type GroupCodes, groupCodes, GroupPlanes } from "./group_planes.ts";
import type { InputStatistics } from "./input_statistics.ts";
import {
  groupColumns,
  groupsPerRow,
  type Layout,
  type PackedTensor,
  type ScalarLayout,
} from "../layouts/layout.ts";
import { emptyPacked } from "../layouts/planes.ts";

/** Options of GPTQ. */
export interface GptqOptions {
  /** Added to the diagonal of the second moments, as a fraction of its mean. Default 0.01, as published. */
  readonly damping?: number;
  /**
   * Round columns in descending order of their inputs' second moments. Groups are ordered by the largest moment of
   * each, and columns are ordered within their group, so that a scale can be fitted when its group begins and codes
   * stay in their columns. Default true. If false, columns are rounded from left to right.
   */
  readonly actOrder?: boolean;
  /** Number of columns after which errors are propagated to all later ones. Affects only the running time. Default 128. */
  readonly blockSize?: number;
  /**
   * Search for good scales, as `quantize` does, but by GPTQ's own objective: the error of a column is weighted by its
   * pivot. If false, scales cover the whole range, as published. Default true.
   */
  readonly search?: boolean;
}

/** Quantises `rows x columns` values, row-major, to a format in the table. */
export type Quantizer = (
  values: Float32Array,
  rows: number,
  columns: number,
  formatName: string,
) => PackedTensor;

/** Quantises as a {@linkcode Quantizer} does, but as a computation whose large products the caller computes. */
export type ComputedQuantizer = (
  ...tensor: Parameters<Quantizer>
) => Computation<PackedTensor>;

/** Number of rows taken through all columns together on one thread, small enough for their errors to stay in the cache. */
const ROWS_HERE = 64;

/** The most errors held at once if products are computed elsewhere, which is efficient only for many rows. */
const ERRORS_ELSEWHERE = 2 ** 24;

/** Whether GPTQ can quantise to a format: it must have codes, and a scale per group of columns. */
export function gptqApplies({ layout }: Format): boolean {
  return hasGroups(layout);
}

function hasGroups(layout: Layout): layout is ScalarLayout {
  return layout.kind === "scalar";
}

/**
 * Quantises row-major `rows x columns` values with calibration statistics, to any format with codes and a scale per
 * group. The scale of a group is fitted as by `quantize`, to the weights after compensation for earlier columns.
 * Columns whose inputs were always zero are rounded to nearest.
 *
 * @param statistics Statistics of this layer's inputs.
 * @throws {RangeError} for an unknown format, one without groups of scalar codes, a shape it cannot hold, values or
 * moments that are not finite, or moments that are not positive definite with this damping.
 * @throws {TypeError} when there are not `rows * columns` values, or the statistics have a different number of columns.
 *
 * @example Correlated inputs
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
 * {@linkcode gptqQuantize} for several layers that share their inputs. The second moments are factored once, in f64,
 * which takes `columns³ / 3` operations and `8 · columns²` bytes. Each layer then takes `rows · columns²` operations.
 *
 * @throws {RangeError} for a block size below 1. The returned function throws as {@linkcode gptqQuantize} does.
 */
export function gptqQuantizer(statistics: InputStatistics, options: GptqOptions = {}): Quantizer {
  const compute = quantizerOf(statistics, options, ROWS_HERE);
  return (...tensor) => runHere(compute(...tensor));
}

/**
 * {@linkcode gptqQuantizer} as computations. The products of the factorisation must be exact (f64); for the propagation
 * of errors to later columns, f32 is enough. Needs 128 MiB more for the errors.
 *
 * @throws As {@linkcode gptqQuantizer} does.
 *
 * @example One matrix, with its products computed here
 * ```ts
 * import { gptqComputation, gptqQuantize, ProductWorkers, runWith } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const n = 32;
 * const moments = new Float32Array(n * n).map((_, i) => Math.floor(i / n) === i % n ? 1 : 0.9);
 * const statistics = { columns: n, tokens: 100, moments, magnitudes: new Float32Array(n).fill(0.8) };
 * const values = Float32Array.from({ length: n }, (_, i) => Math.sin(i * i));
 * using here = new ProductWorkers(0);
 * const packed = await runWith(gptqComputation(statistics)(values, 1, n, "int4_g32"), here);
 * assertEquals(packed, gptqQuantize(values, 1, n, "int4_g32", statistics));
 * ```
 */
export function gptqComputation(
  statistics: InputStatistics,
  options: GptqOptions = {},
): ComputedQuantizer {
  const rows = Math.floor(ERRORS_ELSEWHERE / statistics.columns / ROWS_HERE) * ROWS_HERE;
  return quantizerOf(statistics, options, Math.max(ROWS_HERE, rows));
}

function quantizerOf(
  statistics: InputStatistics,
  options: GptqOptions,
  rowsAtOnce: number,
): ComputedQuantizer {
  const { damping = 0.01, actOrder = true, blockSize = 128, search = true } = options;
  const n = statistics.columns;
  if (!(Number.isInteger(blockSize) && blockSize > 0)) {
    throw new RangeError(`Cannot quantise in blocks of ${blockSize} columns: expected 1 or more`);
  }
  const known = new Map<number, ErrorFeedback & { readonly order: Uint32Array }>();
  function* factorsFor(group: number) {
    const key = actOrder ? group : 0;
    let found = known.get(key);
    if (!found) {
      const order = actOrder ? activationOrder(statistics, group) : columnsOf(n);
      found = { order, ...yield* errorFeedback(statistics, order, damping) };
      known.set(key, found);
    }
    return found;
  }
  let errors: Float64Array = new Float64Array();
  return function* (values, rows, columns, formatName) {
    const { layout } = formatByName(formatName);
    if (!hasGroups(layout)) {
      throw new RangeError(
        `Cannot quantise to ${formatName} with GPTQ: it supports formats with codes and one scale per group, such as int4_g128 or Q4_0`,
      );
    }
    const t = emptyPacked(layout, rows, columns);
    checkValues(values, rows, columns, formatName, layout);
    if (n !== columns) {
      throw new TypeError(
        `Cannot quantise ${rows} x ${columns} values with GPTQ: the statistics are for ${n} inputs`,
      );
    }
    const planes = new GroupPlanes(t, layout);
    const factors = yield* factorsFor(groupColumns(layout, n));
    const most = Math.min(rowsAtOnce, rows);
    if (errors.length < most * n) errors = sharedFloats(most * n);
    const fixed = { ...factors, values, columns, layout, planes, errors, search, blockSize };
    for (let first = 0; first < rows; first += most) {
      yield* quantizeRows(fixed, first, Math.min(most, rows - first));
    }
    return t;
  };
}

function columnsOf(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

/**
 * The order of rounding: groups by the largest mean square of their inputs, a partial last group last, and columns by
 * their own mean square within a group.
 */
function activationOrder({ moments, columns: n }: InputStatistics, group: number): Uint32Array {
  const power = (column: number) => moments[column * n + column];
  const whole = Math.floor(n / group);
  const groups = Array.from({ length: Math.ceil(n / group) }, (_, g) => {
    const columns = columnsOf(Math.min(group, n - g * group)).map((i) => g * group + i);
    return columns.sort((a, b) => power(b) - power(a) || a - b);
  });
  const first = groups.splice(0, whole).sort((a, b) => power(b[0]) - power(a[0]) || a[0] - b[0]);
  return Uint32Array.from([...first, ...groups].flatMap((columns) => [...columns]));
}

interface Rounding extends ErrorFeedback {
  readonly values: Float32Array;
  readonly columns: number;
  readonly layout: ScalarLayout;
  readonly order: Uint32Array;
  readonly planes: GroupPlanes;
  /** Weight minus rounded value, for the columns that have been rounded. */
  readonly errors: Float64Array;
  readonly search: boolean;
  readonly blockSize: number;
}

/** Quantises all columns of `count` rows, starting at `first`. Columns are counted in the order of rounding. */
function* quantizeRows(rounding: Rounding, first: number, count: number): Computation<void> {
  const { values, columns: n, layout, order, feedback, planes, errors } = rounding;
  const group = groupColumns(layout, n);
  const groups = groupsPerRow(layout, n);
  const fit = groupFitter(layout, rounding.search);
  const codesOf = groupCodes(layout);
  const current = new Array<GroupCodes>(count); // codes of the group at which each row is
  // If a row has a single scale, it is fitted before anything is rounded.
  const block = groups === 1 ? rounding.blockSize : Math.ceil(rounding.blockSize / group) * group;
  const counts = rounding.search ? importanceOf(rounding.pivots) : undefined;
  const earlier = sharedFloats(count * block); // contribution of earlier blocks' errors to each column
  const codes = new Uint8Array(count * n);
  const compensated = new Float32Array(group);
  for (let start = 0; start < n; start += block) {
    const end = Math.min(n, start + block);
    const width = end - start;
    if (start > 0) {
      yield {
        a: { values: errors, stride: n, first: 0, count },
        b: { values: feedback, stride: n, first: start, count: width },
        from: 0,
        to: start,
        out: earlier,
        changed: [start - block, start],
      };
    }
    for (let row = 0; row < count; row++) {
      const at = row * n;
      const weights = (first + row) * n;
      const added = (k: number): number => {
        const f = k * n;
        let s0 = earlier[row * width + k - start], s1 = 0, s2 = 0, s3 = 0;
        let j = start;
        // Four independent sums, so that an addition need not wait for the previous one.
        for (; j + 3 < k; j += 4) {
          s0 += errors[at + j] * feedback[f + j];
          s1 += errors[at + j + 1] * feedback[f + j + 1];
          s2 += errors[at + j + 2] * feedback[f + j + 2];
          s3 += errors[at + j + 3] * feedback[f + j + 3];
        }
        for (; j < k; j++) s0 += errors[at + j] * feedback[f + j];
        return s0 + s1 + (s2 + s3);
      };
      for (let from = start, to; from < end; from = to) {
        to = Math.min(end, from + (groups === 1 ? block : group));
        if (groups > 1 || from === 0) {
          // The group's weights as compensated for the errors of earlier groups, before any of the group is rounded.
          const length = Math.min(group, n - from);
          for (let k = from; k < from + length; k++) {
            const change = groups === 1 ? 0 : added(k);
            compensated[k - from] = values[weights + order[k]] + change;
            errors[at + k] = -change;
          }
          const found = fit(compensated.subarray(0, length), counts?.subarray(from, from + length));
          planes.setGroup(first + row, Math.floor(order[from] / group), found);
          current[row] = codesOf(found);
        }
        const { code, value } = current[row];
        for (let k = from; k < to; k++) {
          const column = order[k];
          const chosen = code(values[weights + column] + added(k));
          codes[at + column] = chosen;
          errors[at + k] = values[weights + column] - value(chosen);
        }
      }
      yield;
    }
  }
  for (let row = 0; row < count; row++) {
    planes.setCodes(first + row, codes.subarray(row * n, (row + 1) * n));
  }
}

/** Importance from pivots, scaled so that the largest is 1. */
function importanceOf(pivots: Float64Array): Float32Array {
  const largest = pivots.reduce((a, b) => Math.max(a, b), 0);
  return Float32Array.from(pivots, (pivot) => pivot / largest);
}
