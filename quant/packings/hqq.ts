/**
 * HQQ tensors as mobiusml/hqq stores them (method: Badri and Shaji 2023, "Half-Quadratic Quantization of Large Machine
 * Learning Models").
 *
 * A matrix grouped along axis 1 is a list of lines, one per group, row after row. The lines are divided into as many
 * equal parts as there are codes in a word. Word `l` holds line `l` of every part, with the first part in the highest
 * bits: two 4-bit codes or four 2-bit codes per byte, ten 3-bit codes in the low 30 bits of a 32-bit word (lines padded
 * to a multiple of ten), or one 8-bit code per byte. The weight is `(q - zero) * scale` with a zero point that is not
 * an integer.
 *
 * Along axis 0, the rows are divided into as many equal parts as there are elements in a group. Each part is one line,
 * and the same position in all lines shares a scale and zero point. Every column therefore has its own, with as many
 * row classes as a part has rows.
 *
 * @module
 */

import type { ColumnLayout, PackedTensor, ScalarLayout } from "../layouts/layout.ts";
import { checkShape, emptyPacked, halves, planeBytes } from "../layouts/planes.ts";
import { packRows, wholeGroup } from "./row_packing.ts";
import { writeCodes } from "../layouts/scalar_codes.ts";
import { checkLength } from "./transposed.ts";

/** Number of codes per word and bits per code, by the name in the file. */
export const HQQ_PACKINGS = {
  "8bit_u8": { bits: 8, parts: 1, bytes: 1 },
  "4bit_u8": { bits: 4, parts: 2, bytes: 1 },
  "3bit_32": { bits: 3, parts: 10, bytes: 4 },
  "2bit_u8": { bits: 2, parts: 4, bytes: 1 },
} as const;

/** The name of a packing. */
export type HqqPacking = keyof typeof HQQ_PACKINGS;

/** The stored planes of one linear layer. */
export interface HqqPlanes {
  /** The words of `W_q`, little endian. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** f16 bits: along axis 1 one per row and group, along axis 0 one per row class and column. */
  readonly scales: Uint16Array;
  /** f16 bits, in the same order as the scales. */
  readonly zeros: Uint16Array;
}

/** The shape and packing of a linear layer. */
export interface HqqShape {
  /** Packing, as named in the file. */
  readonly packing: HqqPacking;
  /** Axis along which codes share a scale. Default 1. */
  readonly axis?: 0 | 1;
  /**
   * Number of codes that share a scale. Along axis 1 these are columns: a multiple of 32 that divides the number of
   * columns. Along axis 0 they are rows, whose number must be `group` times a multiple of 4.
   */
  readonly group: number;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Name for messages. Default "tensor". */
  readonly name?: string;
}

/**
 * The layout of such a tensor.
 *
 * @throws {RangeError} for an impossible shape, packing or group.
 */
export function hqqLayout(
  { packing, axis = 1, group, rows, columns, name = "tensor" }: HqqShape,
): ScalarLayout | ColumnLayout {
  if (!Object.hasOwn(HQQ_PACKINGS, packing)) {
    throw new RangeError(
      `Cannot unpack "${name}": packing ${JSON.stringify(packing)}; expected one of ${
        Object.keys(HQQ_PACKINGS).join(", ")
      }`,
    );
  }
  const { bits } = HQQ_PACKINGS[packing];
  if (axis === 0) {
    if (!(Number.isSafeInteger(group) && group > 0 && rows % (4 * group) === 0)) {
      throw new RangeError(
        `Cannot unpack "${name}": groups of ${group} along axis 0 of ${rows} rows; the rows must be ${group} times a multiple of 4`,
      );
    }
    const layout: ColumnLayout = { kind: "column", bits, classes: rows / group };
    checkShape(layout, rows, columns);
    return layout;
  }
  const layout: ScalarLayout = {
    kind: "scalar",
    bits,
    center: 0,
    second: "zero",
    group: wholeGroup(group, columns, name),
  };
  checkShape(layout, rows, columns);
  return layout;
}

/**
 * Number of bytes of `W_q`.
 *
 * @throws {RangeError} when the lines cannot be divided into equal parts.
 */
export function hqqCodeBytes(shape: HqqShape): number {
  const { packing, name = "tensor" } = shape;
  const { parts, bytes } = HQQ_PACKINGS[packing];
  const { lines, width } = hqqLines(shape);
  if (packing !== "3bit_32" && lines % parts !== 0) {
    throw new RangeError(
      `Cannot unpack "${name}": ${lines} lines cannot be cut into ${parts} parts`,
    );
  }
  return Math.ceil(lines / parts) * width * bytes;
}

/** Number of lines, and codes per line. */
function hqqLines(
  { axis = 1, group, rows, columns }: HqqShape,
): { lines: number; width: number } {
  const groups = rows * columns / group;
  return axis === 1 ? { lines: groups, width: group } : { lines: group, width: groups };
}

/**
 * Converts a linear layer to the scalar layout with a zero point per group or, along axis 0, to the column layout,
 * losslessly.
 *
 * @throws {RangeError} for an impossible shape, packing or group.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example Two rows of one group, the first in the high halves
 * ```ts
 * import { decode, hqqToPacked } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const one = 0x3c00; // f16
 * const packed = hqqToPacked({
 *   codes: new Uint8Array(32).fill(0x94),
 *   scales: Uint16Array.of(one, one),
 *   zeros: Uint16Array.of(0x3800, 0), // 0.5 and 0
 * }, { packing: "4bit_u8", group: 32, rows: 2, columns: 32 });
 * assertEquals([...decode(packed).subarray(31, 33)], [8.5, 4]);
 * ```
 */
export function hqqToPacked(planes: HqqPlanes, shape: HqqShape): PackedTensor {
  const layout = hqqLayout(shape);
  const { packing, group, rows, columns, name = "tensor" } = shape;
  const { bits, parts, bytes } = HQQ_PACKINGS[packing];
  const codeBytes = hqqCodeBytes(shape);
  checkLength(name, "W_q", planes.codes, codeBytes);
  checkLength(name, "scale", planes.scales, rows * columns / group);
  checkLength(name, "zero", planes.zeros, rows * columns / group);
  const words = bytes === 1 ? planes.codes : new Uint32Array(planes.codes.slice().buffer);
  const { width } = hqqLines(shape);
  const step = codeBytes / bytes / width;
  const mask = 2 ** bits - 1;
  // Codes of consecutive columns are adjacent up to the end of a line: a group along axis 1, a whole part along axis 0.
  const readRow = (row: number, codes: Uint8Array) => {
    for (let k = 0; k < columns;) {
      const line = Math.floor((row * columns + k) / width);
      const place = row * columns + k - line * width;
      const part = Math.floor(line / step);
      const from = (line - part * step) * width + place;
      const shift = bits * (parts - 1 - part);
      const end = Math.min(columns, k + width - place);
      for (let at = from; k < end; k++, at++) codes[k] = (words[at] >>> shift) & mask;
    }
  };
  if (layout.kind === "scalar") {
    const groups = columns / group;
    return packRows(layout, rows, columns, {
      codes: readRow,
      scale: (row, g) => planes.scales[row * groups + g],
      second: (row, g) => planes.zeros[row * groups + g],
    });
  }
  const t = emptyPacked(layout, rows, columns);
  const [target, table] = [planeBytes(t.codes), halves(t.codebook)];
  const codes = new Uint8Array(columns);
  for (let row = 0; row < rows; row++) {
    readRow(row, codes);
    writeCodes(codes, bits, columns / 32, target, row * columns * bits / 8);
  }
  planes.scales.forEach((scale, i) => table[2 * i] = scale);
  planes.zeros.forEach((zero, i) => table[2 * i + 1] = zero);
  return t;
}
