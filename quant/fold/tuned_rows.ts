/**
 * A tensor's weights with trained offsets applied, before they are rounded to the type that the file stores.
 *
 * @module
 */

import { decodeRow } from "../layouts/decode.ts";
import { float16ToNumber, numberToFloat16 } from "../layouts/float16.ts";
import {
  type CodebookLayout,
  codebookShape,
  groupColumns,
  groupsPerRow,
  isQuantised,
  type Layout,
  type PackedTensor,
  rowPeriod,
  type ScalarLayout,
  scaleRows,
} from "../layouts/layout.ts";
import { groupOffsets, type OffsetForm, offsetStride } from "./fold_offsets.ts";
import { halves } from "../layouts/planes.ts";
import type { TrainedPart } from "../layouts/trained_part.ts";

/** Offsets of one part of a tensor. */
export interface PartOffsets {
  /** How an offset is applied to its base. */
  readonly form: OffsetForm;
  /** Columns per offset; 0 means the whole row. */
  readonly span: number;
  /** Offsets of the whole tensor. */
  readonly offsets: Float32Array;
}

/** Returns the weights of a row in f64. Rows are counted from the start of the piece. */
export type TunedRows = (row: number) => Float64Array;

/**
 * The weights that a forward pass reads from a tensor, or from a piece of its rows, with offsets applied to its parts.
 * They are not rounded, as if a file could store numbers of any precision. Relative offsets of scales also multiply
 * minima, unless the minima have offsets of their own.
 *
 * @param place The first row of the piece, and the number of rows of the whole tensor. By default the piece is the
 * whole tensor.
 *
 * @example Twice the weights
 * ```ts
 * import { decodeRow, quantize, tunedRows } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const base = quantize(Float32Array.from({ length: 32 }, (_, i) => i), 1, 32, "Q4_1");
 * const offsets = new Float32Array(4).fill(1);
 * const row = tunedRows(base, new Map([["scales", { form: "relative", span: 32, offsets }]]))(0);
 * assertEquals(row[7], 2 * decodeRow(base, 0)[7]);
 * ```
 */
export function tunedRows(
  t: PackedTensor,
  parts: ReadonlyMap<TrainedPart, PartOffsets>,
  { firstRow = 0, totalRows = t.rows }: {
    readonly firstRow?: number;
    readonly totalRows?: number;
  } = {},
): TunedRows {
  const { layout, columns } = t;
  const scales = parts.get("scales");
  switch (layout.kind) {
    case "scalar":
      return scalarRows(t, layout, parts, firstRow, totalRows);
    case "codebook":
      return codebookRows(t, layout, parts, firstRow);
    case "dense":
    case "super":
    case "column":
      return (row) => {
        const base = Float64Array.from(decodeRow(t, row));
        if (!scales) return base;
        const offsetAt = placeOf(layout, columns, scales.span, totalRows);
        return base.map((value, k) =>
          joined(scales.form, value, scales.offsets[offsetAt(firstRow + row, k)])
        );
      };
  }
}

function joined(form: OffsetForm, base: number, offset: number): number {
  return form === "absolute" ? base + offset : base * (1 + offset);
}

/** Index of the offset for a row of the whole tensor and a column. */
function placeOf(
  layout: Layout,
  columns: number,
  span: number,
  totalRows: number,
): (row: number, column: number) => number {
  if (!isQuantised(layout)) return (row, column) => row * columns + column;
  const width = span === 0 ? columns : span;
  const stride = offsetStride(scaleRows(layout, totalRows));
  const period = rowPeriod(layout) ?? Infinity;
  return (row, column) => Math.floor(column / width) * stride + row % period;
}

function scalarRows(
  t: PackedTensor,
  layout: ScalarLayout,
  parts: ReadonlyMap<TrainedPart, PartOffsets>,
  firstRow: number,
  totalRows: number,
): TunedRows {
  const { columns } = t;
  const { second } = layout;
  const step = second === "none" ? 1 : 2;
  const group = groupColumns(layout, columns);
  const groups = groupsPerRow(layout, columns);
  const stored = halves(t.scales);
  // Codes as numbers: the values of rows if scales were 1, and zero points or minima 0.
  const unit = { ...t, scales: t.scales.slice() };
  const ones = halves(unit.scales);
  for (let i = 0; i < ones.length; i++) ones[i] = i % step === 0 ? numberToFloat16(1) : 0;
  const scales = parts.get("scales");
  const moved = second === "min" && scales?.form === "relative" ? scales : undefined;
  const seconds = parts.get("minima") ?? moved;
  const tuned = (of: PartOffsets | undefined, row: number, g: number, base: number) => {
    if (!of) return base;
    const at = groupOffsets(layout, totalRows, columns, of.span)(firstRow + row, g);
    return joined(of.form, base, of.offsets[at]);
  };
  return (row) => {
    const weights = Float64Array.from(decodeRow(unit, row));
    for (let g = 0; g < groups; g++) {
      const at = (row * groups + g) * step;
      const scale = tuned(scales, row, g, float16ToNumber(stored[at]));
      const other = step === 1 ? 0 : tuned(seconds, row, g, float16ToNumber(stored[at + 1]));
      for (let k = g * group; k < Math.min(columns, (g + 1) * group); k++) {
        weights[k] = second === "zero" ? scale * (weights[k] - other) : scale * weights[k] + other;
      }
    }
    return weights;
  };
}

function codebookRows(
  t: PackedTensor,
  layout: CodebookLayout,
  parts: ReadonlyMap<TrainedPart, PartOffsets>,
  firstRow: number,
): TunedRows {
  const { columns } = t;
  const { books, entries, vector, width, wordColumns } = codebookShape(layout);
  const [scales, codebook] = [parts.get("scales"), parts.get("codebook")];
  const values = Float64Array.from(halves(t.codebook), (bits, i) => {
    const base = float16ToNumber(bits);
    return codebook ? joined(codebook.form, base, codebook.offsets[i]) : base;
  });
  const stored = halves(t.scales);
  const perWord = wordColumns / vector;
  return (row) => {
    const base = float16ToNumber(stored[row]);
    const scale = scales ? joined(scales.form, base, scales.offsets[firstRow + row]) : base;
    const weights = new Float64Array(columns);
    for (let v = 0; v < columns / vector; v++) {
      const word = (row * columns / wordColumns + Math.floor(v / perWord)) * books;
      for (let c = 0; c < books; c++) {
        const code = (t.codes[word + c] >>> (width * (v % perWord))) & (entries - 1);
        for (let k = 0; k < vector; k++) {
          weights[v * vector + k] += scale * values[(c * entries + code) * vector + k];
        }
      }
    }
    return weights;
  };
}
