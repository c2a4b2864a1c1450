/**
 * Round-to-nearest quantisation: for each group, the scale with the least squared error among a few candidates, rounded
 * to f16 before the codes are chosen.
 *
 * @module
 */

import { checkValues } from "./check_values.ts";
import { codebookComputation } from "./codebook_quantize.ts";
import { columnImportance } from "./column_importance.ts";
import { type Computation, runHere } from "./computation.ts";
import { numbersToBfloat16Array, numbersToFloat16Array } from "../layouts/float16.ts";
import type { Format } from "../formats/format.ts";
import { formatByName } from "../formats/formats.ts";
import { groupFitter } from "./group_fit.ts";
import { groupCodes, GroupPlanes } from "./group_planes.ts";
import type { InputStatistics } from "./input_statistics.ts";
import {
  groupColumns,
  groupsPerRow,
  isQuantised,
  type PackedTensor,
  type ScalarLayout,
} from "../layouts/layout.ts";
import { emptyPacked, halves } from "../layouts/planes.ts";
import { quantizeSuper } from "./super_quantize.ts";

/** Options of the search for scales. */
export interface QuantizeOptions {
  /** Also try clipped ranges and a least-squares fit. Default true. */
  readonly search?: boolean;
  /** Seed, used by codebook formats only. Default 0. */
  readonly seed?: number;
  /**
   * Statistics of this layer's inputs. Scales are then fitted with the squared error of each column weighted by the
   * mean square of its input, as with llama.cpp's importance matrix. Codebooks are fitted to the error of the layer's
   * outputs. Default: all columns have equal weight.
   */
  readonly statistics?: InputStatistics | undefined;
}

/**
 * Quantises row-major `rows x columns` values to a format in the table.
 *
 * Scalar formats: for each group, the candidate with the least squared error wins. The candidates are the scales that
 * reach the largest magnitude and, with `search`, 20 clipped ones (down to half of it) and least-squares refinements of
 * the best. Scales of symmetric formats may be negative, as in llama.cpp's Q4_0: the value with the largest magnitude
 * then gets the code that has no opposite. Dense formats are rounded; codebook formats are quantised by
 * `quantizeCodebook`.
 *
 * @throws {RangeError} for an unknown format, a shape it cannot hold, or a value that is not finite.
 * @throws {TypeError} when there are not `rows * columns` values, or the statistics have a different number of columns.
 *
 * @example Four bits in groups of 32
 * ```ts
 * import { decode, quantize } from "@qzo/qzo/quant";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const values = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
 * const packed = quantize(values, 2, 32, "int4_g32");
 * assertAlmostEquals(decode(packed)[5], values[5], 0.08);
 * ```
 */
export function quantize(
  values: Float32Array,
  rows: number,
  columns: number,
  formatName: string,
  options: QuantizeOptions = {},
): PackedTensor {
  return runHere(quantizeComputation(values, rows, columns, formatName, options));
}

/** {@linkcode quantize} as a computation: the caller computes the products that codebooks need; f32 precision is enough. */
export function* quantizeComputation(
  values: Float32Array,
  rows: number,
  columns: number,
  formatName: string,
  options: QuantizeOptions = {},
): Computation<PackedTensor> {
  const { layout } = formatByName(formatName);
  const { search = true, seed = 0, statistics } = options;
  const t = emptyPacked(layout, rows, columns);
  // Codes and scales saturate; floats would become infinity.
  checkValues(values, rows, columns, formatName, isQuantised(layout) ? undefined : layout);
  switch (layout.kind) {
    case "dense":
      if (layout.type === "f32") new Float32Array(t.codes.buffer).set(values);
      else {
        const round = layout.type === "f16" ? numbersToFloat16Array : numbersToBfloat16Array;
        halves(t.codes).set(round(values));
      }
      return t;
    case "scalar":
      yield* quantizeGroups(values, t, layout, columnImportance(columns, statistics), search);
      return t;
    case "super":
      yield* quantizeSuper(values, t, layout, columnImportance(columns, statistics), search);
      return t;
    case "column":
      throw new RangeError(
        `Cannot quantise to ${formatName}: formats with a scale per column can only be read`,
      );
    case "codebook":
      if ((layout.bits ?? 8) !== 8 || (layout.vector ?? 8) !== 8 || layout.books > 4) {
        throw new RangeError(
          `Cannot quantise to ${formatName}: only codebooks with one to four books of 8-bit codes for 8 columns can be created`,
        );
      }
      return yield* codebookComputation(values, rows, columns, {
        books: layout.books,
        seed,
        statistics,
      });
  }
}

/** Whether rounding to a format weights the errors of columns by their inputs: true if groups of columns have scales. */
export function weighsColumns({ layout }: Format): boolean {
  return layout.kind === "scalar" || layout.kind === "super";
}

function* quantizeGroups(
  values: Float32Array,
  t: PackedTensor,
  layout: ScalarLayout,
  importance: Float32Array,
  search: boolean,
): Computation<void> {
  const { rows, columns } = t;
  const group = groupColumns(layout, columns);
  const groups = groupsPerRow(layout, columns);
  const codes = new Uint8Array(columns);
  const fit = groupFitter(layout, search);
  const codesOf = groupCodes(layout);
  const planes = new GroupPlanes(t, layout);
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const from = g * group;
      const to = Math.min(columns, from + group);
      const found = fit(
        values.subarray(row * columns + from, row * columns + to),
        importance.subarray(from, to),
      );
      planes.setGroup(row, g, found);
      const { code } = codesOf(found);
      for (let k = from; k < to; k++) codes[k] = code(values[row * columns + k]);
    }
    planes.setCodes(row, codes);
    yield;
  }
}
