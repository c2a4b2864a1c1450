/**
 * What trained offsets mean numerically, and how they are folded into a file's scales.
 *
 * A quantised tensor of `rows x columns` has one f32 offset per row and `span` columns: `offset[floor(k / span) *
 * stride + row]`, with `stride = rows` rounded up to a multiple of 4. A span is the group of the format, any other
 * number of columns, or the whole row. Dense tensors have one offset per element, `offset[row * columns + column]`;
 * vectors are padded with unused offsets to a multiple of 4.
 *
 * The effective scale of column k is `base + offset` (absolute) or `base * (1 + offset)` (relative). A relative offset
 * multiplies the whole weight, minimum included, because stretching `scale * q` alone would shift the mean of every
 * group. An absolute offset leaves zero points and minima unchanged. Super-block and column layouts accept only
 * relative offsets. In a column layout, rows are grouped into classes, and a class takes the place of a row.
 *
 * Minima (or zero points) can have offsets of their own, laid out like those of the scales. The entries of a codebook
 * can too, one offset each in the order of their plane; see `TrainedPart`. For scalar layouts, each call folds one
 * part. To fold relative offsets of the scales, fold them into the scales and again into the minima, or fold the
 * minima's own offsets if they have any.
 *
 * @module
 */

import { FLOAT_CODECS } from "../layouts/float_codecs.ts";
import {
  type ColumnLayout,
  elementType,
  groupColumns,
  groupsPerRow,
  isPaired,
  isQuantised,
  type Layout,
  type PackedTensor,
  planeWords,
  scaleRows,
} from "../layouts/layout.ts";
import { assertWithin, type Beyond, offsetFold, type OffsetForm } from "./offset_fold.ts";
import { checkPacked, checkShape, halves } from "../layouts/planes.ts";
import { foldSuper } from "./super_fold.ts";
import { checkPart, type TrainedPart } from "../layouts/trained_part.ts";

export {
  addTally,
  assertWithin,
  type Beyond,
  type FoldTally,
  type OffsetFold,
  offsetFold,
  type OffsetForm,
} from "./offset_fold.ts";

/** Position of the folded rows within a larger tensor, and what to fold. */
export interface FoldOptions {
  /** Index of the piece's first row in the whole tensor. Default 0. */
  readonly firstRow?: number;
  /** Number of rows of the whole tensor, to which the offsets belong. Default: the rows of the piece. */
  readonly totalRows?: number;
  /** The part that the offsets tune. Default "scales". */
  readonly part?: TrainedPart;
  /** What to do with numbers outside the range of the stored type. Default "keep": the base stays. */
  readonly beyond?: Beyond;
}

/** A tensor with offsets folded in, and counts of what rounding did to them. */
export interface FoldResult {
  /** A copy. Planes that did not change are shared with the base. */
  readonly tensor: PackedTensor;
  /**
   * Stored values (scales, minima, entries, dense elements) with a non-zero offset whose bits did not change: the
   * offset was lost to rounding, or the result was outside the range of the type.
   */
  readonly swallowed: number;
  /** Stored values whose bits changed. */
  readonly changed: number;
  /** Number of the values above whose result would be outside the range of their type. Absent if there are none. */
  readonly exceeded?: number;
}

/** Number of offsets between one span of columns and the next: `rows` rounded up to a multiple of 4. */
export function offsetStride(rows: number): number {
  return Math.ceil(rows / 4) * 4;
}

/**
 * Number of offsets of a tensor, or of one part of it, padding included. A `span` of 0 means the whole row. Dense
 * layouts and codebooks ignore the span.
 *
 * @throws {RangeError} for an impossible shape or span, or a part that the layout does not have.
 *
 * @example A row of 96 columns in spans of 64
 * ```ts
 * import { formatByName, offsetCount } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(offsetCount(formatByName("Q4_0").layout, 6, 96, 64), 16);
 * assertEquals(offsetCount(formatByName("F32").layout, 1, 96, 0), 96);
 * ```
 */
export function offsetCount(
  layout: Layout,
  rows: number,
  columns: number,
  span: number,
  part: TrainedPart = "scales",
): number {
  checkShape(layout, rows, columns);
  checkPart(layout, part);
  if (part === "codebook") return 2 * planeWords(layout, rows, columns).codebook;
  if (!isQuantised(layout)) return rows === 1 ? offsetStride(columns) : rows * columns;
  return Math.ceil(columns / spanColumns(span, columns)) * offsetStride(scaleRows(layout, rows));
}

/**
 * Folds offsets into a copy of a tensor.
 *
 * Each stored f16 scale becomes the nearest f16 of `base + offset` or `base * (1 + offset)`, computed in f64. If a span
 * is wider than a group, all groups of the span get the same offset. A span that ends within a group cannot be folded,
 * because the group would need two scales. Codebook layouts have one scale per row, so their `span` must be 0 or at
 * least the number of columns.
 *
 * With `part`, the minima, zero points or codebook entries change instead. Dense elements are rounded to their type in
 * the same way. If a result is outside the range of its type, the base stays unless `beyond` says otherwise, and the
 * value is counted. For super-blocks, a span may be any multiple of 32; see `foldSuper`.
 *
 * @param offsets Offsets of the whole tensor.
 * @param span Columns per offset; 0 means the whole row. Ignored for dense layouts.
 * @throws {RangeError} for a span that ends within a group, an offset that is not finite, rows outside the whole
 * tensor, or numbers outside the range of their type with `beyond: "refuse"`.
 * @throws {TypeError} when the number of offsets does not match the tensor.
 *
 * @example Multiply all weights by 1.5
 * ```ts
 * import { foldScales, quantize, readScales } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const base = quantize(new Float32Array(32).fill(1), 1, 32, "int4_row");
 * const folded = foldScales(base, new Float32Array([0.5, 0, 0, 0]), "relative", 0);
 * assertEquals(readScales(folded.tensor)[0], 1.5 * readScales(base)[0]);
 * assertEquals([folded.changed, folded.swallowed], [1, 0]);
 * ```
 */
export function foldScales(
  t: PackedTensor,
  offsets: Float32Array,
  form: OffsetForm,
  span: number,
  options: FoldOptions = {},
): FoldResult {
  checkPacked(t);
  const { firstRow = 0, totalRows = t.rows, part = "scales" } = options;
  if (
    !Number.isSafeInteger(firstRow) || !Number.isSafeInteger(totalRows) || firstRow < 0 ||
    firstRow + t.rows > totalRows
  ) {
    throw new RangeError(
      `Cannot fold rows ${firstRow} to ${firstRow + t.rows} of a tensor with ${totalRows} rows`,
    );
  }
  const count = offsetCount(t.layout, totalRows, t.columns, span, part);
  if (offsets.length !== count) {
    throw new TypeError(
      `Cannot fold ${offsets.length} offsets into ${totalRows} x ${t.columns}: expected ${count}`,
    );
  }
  const { beyond = "keep" } = options;
  const made = foldPart(t, offsets, form, span, { firstRow, totalRows, part, beyond });
  assertWithin(`rows ${firstRow} to ${firstRow + t.rows} (${part})`, made, beyond);
  return made;
}

function foldPart(
  t: PackedTensor,
  offsets: Float32Array,
  form: OffsetForm,
  span: number,
  options: Required<FoldOptions>,
): FoldResult {
  const { firstRow, totalRows, part, beyond } = options;
  if (part === "codebook") return foldBooks(t, offsets, form, beyond);
  const { layout } = t;
  switch (layout.kind) {
    case "dense":
      return foldDense(t, offsets, form, options);
    case "scalar":
    case "codebook":
      return foldGroups(t, offsets, form, span, options);
    case "column":
      checkedSpan("scales of single columns", t.columns, form, span);
      return foldColumns(t, layout, offsets, span, options);
    case "super": {
      const what = `the integer scales of ${layout.scales} super-blocks`;
      const width = checkedSpan(what, t.columns, form, span);
      const stride = offsetStride(totalRows);
      return foldSuper(
        t,
        layout,
        (row, column) => offsets[Math.floor(column / width) * stride + firstRow + row],
        beyond,
      );
    }
  }
}

function spanColumns(span: number, columns: number): number {
  if (!(Number.isSafeInteger(span) && span >= 0)) {
    throw new RangeError(`Cannot use a span of ${span} columns: expected a count, 0 for the row`);
  }
  return span === 0 ? columns : span;
}

/**
 * @throws {RangeError} for the absolute form, and for spans that end within a group.
 */
function checkedSpan(
  what: string,
  columns: number,
  form: OffsetForm,
  span: number,
): number {
  const width = spanColumns(span, columns);
  if (form === "absolute") {
    throw new RangeError(
      `Cannot fold absolute offsets into ${what}: only relative offsets can change them`,
    );
  }
  if (width % 32 !== 0 && width < columns) {
    throw new RangeError(
      `Cannot fold offsets per ${width} columns into ${what}: expected a multiple of 32`,
    );
  }
  return width;
}

function foldGroups(
  t: PackedTensor,
  offsets: Float32Array,
  form: OffsetForm,
  span: number,
  { firstRow, totalRows, part, beyond }: Required<FoldOptions>,
): FoldResult {
  const groups = groupsPerRow(t.layout, t.columns);
  const offsetAt = groupOffsets(t.layout, totalRows, t.columns, span);
  const tensor = { ...t, scales: t.scales.slice() };
  const stored = halves(tensor.scales);
  const step = isPaired(t.layout) ? 2 : 1;
  const fold = offsetFold(form, FLOAT_CODECS.f16, beyond);
  for (let row = 0; row < t.rows; row++) {
    for (let g = 0; g < groups; g++) {
      const at = (row * groups + g) * step + (part === "minima" ? 1 : 0);
      stored[at] = fold.apply(stored[at], offsets[offsetAt(firstRow + row, g)]);
    }
  }
  return { tensor, ...fold.counts };
}

function foldBooks(
  t: PackedTensor,
  offsets: Float32Array,
  form: OffsetForm,
  beyond: Beyond,
): FoldResult {
  const tensor = { ...t, codebook: t.codebook.slice() };
  const stored = halves(tensor.codebook);
  const fold = offsetFold(form, FLOAT_CODECS.f16, beyond);
  offsets.forEach((offset, i) => stored[i] = fold.apply(stored[i], offset));
  return { tensor, ...fold.counts };
}

function foldColumns(
  t: PackedTensor,
  layout: ColumnLayout,
  offsets: Float32Array,
  span: number,
  { firstRow, beyond }: Required<FoldOptions>,
): FoldResult {
  const offsetAt = groupOffsets(layout, t.rows, t.columns, span);
  const tensor = { ...t, codebook: t.codebook.slice() };
  const stored = halves(tensor.codebook);
  const fold = offsetFold("relative", FLOAT_CODECS.f16, beyond);
  for (let i = 0; i < t.codebook.length; i++) {
    const row = (firstRow + Math.floor(i / t.columns)) % layout.classes;
    stored[2 * i] = fold.apply(stored[2 * i], offsets[offsetAt(row, i % t.columns)]);
  }
  return { tensor, ...fold.counts };
}

/**
 * Index of the offset for a row (in column layouts, a class) and group, among the offsets of a quantised `rows x
 * columns` tensor.
 *
 * @param span Columns per offset; 0 means the whole row.
 * @throws {RangeError} for a span that ends within a group, because the group would need two scales.
 *
 * @example Two groups share an offset
 * ```ts
 * import { formatByName, groupOffsets } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const at = groupOffsets(formatByName("int4_g32").layout, 6, 128, 64);
 * assertEquals([at(5, 0), at(5, 1), at(5, 2)], [5, 5, 13]);
 * ```
 */
export function groupOffsets(
  layout: Layout,
  rows: number,
  columns: number,
  span: number,
): (row: number, group: number) => number {
  const width = spanColumns(span, columns);
  const group = groupColumns(layout, columns);
  const groups = groupsPerRow(layout, columns);
  if (groups > 1 ? width % group !== 0 && width < columns : width < columns) {
    throw new RangeError(
      `Cannot fold offsets per ${width} columns into scales per ${group} columns`,
    );
  }
  const stride = offsetStride(scaleRows(layout, rows));
  return (row, g) => Math.floor(g * group / width) * stride + row;
}

function foldDense(
  t: PackedTensor,
  offsets: Float32Array,
  form: OffsetForm,
  { firstRow, beyond }: Required<FoldOptions>,
): FoldResult {
  const tensor = { ...t, codes: t.codes.slice() };
  const from = firstRow * t.columns;
  const type = elementType(t.layout) ?? "f32";
  const stored = type === "f32" ? tensor.codes : halves(tensor.codes);
  const fold = offsetFold(form, FLOAT_CODECS[type], beyond);
  for (let i = 0; i < t.rows * t.columns; i++) {
    stored[i] = fold.apply(stored[i], offsets[from + i]);
  }
  return { tensor, ...fold.counts };
}
