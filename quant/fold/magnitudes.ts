/**
 * Magnitudes of the values that a tensor's offsets tune.
 *
 * @module
 */
import { decode, readScales, readSeconds } from "../layouts/decode.ts";
import { float16ToNumber } from "../layouts/float16.ts";
import {
  groupColumns,
  groupsPerRow,
  isQuantised,
  type PackedTensor,
  type SuperLayout,
} from "../layouts/layout.ts";
import { type FoldOptions, offsetCount, offsetStride } from "./fold_offsets.ts";
import { halves, planeBytes } from "../layouts/planes.ts";
import { superByte } from "../layouts/super_rows.ts";
import {
  emptySuperBlock,
  readSuperBlock,
  SUPER_SCALES,
  superFactor,
} from "../layouts/super_scales.ts";
import type { TrainedPart } from "../layouts/trained_part.ts";

/** Scales, `units` per row, each covering a fixed number of columns. */
interface Scales {
  readonly columns: number;
  readonly units: number;
  readonly values: Float32Array;
}

/** The scales of a super-block's groups. */
function superScales(t: PackedTensor, layout: SuperLayout): Scales {
  const { columns, group, plus = 0 } = SUPER_SCALES[layout.scales];
  const [blocks, groups] = [groupsPerRow(layout, t.columns), columns / group];
  const values = new Float32Array(t.rows * blocks * groups);
  const bytes = planeBytes(t.scales);
  const block = emptySuperBlock(layout.scales);
  for (let i = 0; i < t.rows * blocks; i++) {
    const at = superByte(layout, t.columns, Math.floor(i / blocks), i % blocks);
    readSuperBlock(layout.scales, bytes, at, block);
    const factor = superFactor(layout.scales, block.d);
    block.scales.forEach((scale, g) => values[i * groups + g] = factor * (scale + plus));
  }
  return { columns: group, units: blocks * groups, values };
}

function scalesOf(t: PackedTensor, part: TrainedPart): Scales {
  if (t.layout.kind === "super") return superScales(t, t.layout);
  return {
    columns: groupColumns(t.layout, t.columns),
    units: groupsPerRow(t.layout, t.columns),
    values: part === "minima" ? readSeconds(t) : readScales(t),
  };
}

/**
 * The magnitude of the value that each offset tunes, in the order of offsets (see `fold_offsets.ts`). It is the mean
 * magnitude of the scales of the offset's columns (with `part`: of their minima or zero points), or the magnitude of a
 * dense element or codebook entry. Padding rows and rows of other pieces get NaN.
 *
 * @param span Columns per offset; 0 means the whole row. Ignored for dense layouts.
 * @throws {RangeError} for an impossible shape or span.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example Six rows are padded to eight
 * ```ts
 * import { offsetMagnitudes, quantize } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const tensor = quantize(new Float32Array(6 * 32).fill(-1), 6, 32, "int4_row");
 * const sizes = offsetMagnitudes(tensor, 0);
 * assertEquals([sizes.length, sizes[5] > 0, sizes[6]], [8, true, NaN]);
 * ```
 */
export function offsetMagnitudes(
  t: PackedTensor,
  span: number,
  options: FoldOptions = {},
): Float32Array<ArrayBuffer> {
  return offsetBases(t, span, options).map(Math.abs);
}

/**
 * As {@linkcode offsetMagnitudes}, but with the sign where an offset tunes a single value.
 *
 * @throws {RangeError} for an impossible shape or span.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example A dense tensor
 * ```ts
 * import { offsetBases, quantize } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const tensor = quantize(new Float32Array([1, -2, 3, -4]), 1, 4, "F32");
 * assertEquals([...offsetBases(tensor, 0)], [1, -2, 3, -4]);
 * ```
 */
export function offsetBases(
  t: PackedTensor,
  span: number,
  { firstRow = 0, totalRows = t.rows, part = "scales" }: FoldOptions = {},
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(offsetCount(t.layout, totalRows, t.columns, span, part)).fill(NaN);
  if (part === "codebook") {
    return Float32Array.from(halves(t.codebook), float16ToNumber);
  }
  if (!isQuantised(t.layout)) {
    out.set(decode(t), firstRow * t.columns);
    return out;
  }
  const { columns, units, values } = scalesOf(t, part);
  const width = span === 0 ? t.columns : Math.min(span, t.columns);
  const stride = offsetStride(totalRows);
  for (let s = 0; s * width < t.columns; s++) {
    const from = Math.floor(s * width / columns);
    const to = Math.min(units, Math.ceil((s + 1) * width / columns));
    for (let row = 0; row < t.rows; row++) {
      let sum = 0;
      for (let u = from; u < to; u++) sum += Math.abs(values[row * units + u]);
      const one = to === from + 1;
      out[s * stride + firstRow + row] = one ? values[row * units + from] : sum / (to - from);
    }
  }
  return out;
}
