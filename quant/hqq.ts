/**
 * HQQ tensors as mobiusml/hqq stores them (Badri and Shaji 2023, "Half-Quadratic Quantization of Large Machine Learning
 * Models", is the method).
 *
 * A matrix grouped along axis 1 is a list of lines of one group each, row after row. The lines are cut into as many equal parts
 * as codes fit a word, and word `l` holds line `l` of every part, that of the first part in the highest bits: two in a byte of 4
 * bits, four of 2 bits, ten in the low 30 bits of a 32-bit word of 3 bits (lines padded to a multiple of ten), one of 8 bits.
 * The weight is `(q - zero) * scale` with a zero point that is no integer.
 *
 * @module
 */

import type { PackedTensor, ScalarLayout } from "./layout.ts";
import { checkShape } from "./planes.ts";
import { packRows, wholeGroup } from "./row_packing.ts";
import { checkLength } from "./transposed.ts";

/** How many codes a word holds and how, by the name in the file. */
export const HQQ_PACKINGS = {
  "8bit_u8": { bits: 8, parts: 1, bytes: 1 },
  "4bit_u8": { bits: 4, parts: 2, bytes: 1 },
  "3bit_32": { bits: 3, parts: 10, bytes: 4 },
  "2bit_u8": { bits: 2, parts: 4, bytes: 1 },
} as const;

/** The name of a packing. */
export type HqqPacking = keyof typeof HQQ_PACKINGS;

/** What a file has of one linear layer. */
export interface HqqPlanes {
  /** The words of `W_q`, little endian. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** f16 bits, one per row and group. */
  readonly scales: Uint16Array;
  /** f16 bits, one per row and group. */
  readonly zeros: Uint16Array;
}

/** Shape and packing of a linear layer grouped along axis 1. */
export interface HqqShape {
  /** As the file names it. */
  readonly packing: HqqPacking;
  /** Columns that share a scale: a multiple of 32 that divides the columns. */
  readonly group: number;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** For messages. Default "tensor". */
  readonly name?: string;
}

/** The layout of such a tensor. @throws {RangeError} for an impossible shape, packing or group. */
export function hqqLayout(
  { packing, group, rows, columns, name = "tensor" }: HqqShape,
): ScalarLayout {
  if (!Object.hasOwn(HQQ_PACKINGS, packing)) {
    throw new RangeError(
      `Cannot unpack "${name}": packing ${JSON.stringify(packing)}, known are ${
        Object.keys(HQQ_PACKINGS).join(", ")
      }`,
    );
  }
  const layout: ScalarLayout = {
    kind: "scalar",
    bits: HQQ_PACKINGS[packing].bits,
    center: 0,
    second: "zero",
    group: wholeGroup(group, columns, name),
  };
  checkShape(layout, rows, columns);
  return layout;
}

/** Bytes of `W_q`. @throws {RangeError} when the lines cannot be cut into equal parts. */
export function hqqCodeBytes({ packing, group, rows, columns, name = "tensor" }: HqqShape): number {
  const { parts, bytes } = HQQ_PACKINGS[packing];
  const lines = rows * columns / group;
  if (packing !== "3bit_32" && lines % parts !== 0) {
    throw new RangeError(
      `Cannot unpack "${name}": ${lines} groups cannot be cut into ${parts} parts`,
    );
  }
  return Math.ceil(lines / parts) * group * bytes;
}

/**
 * The planes of a linear layer in the scalar layout with a zero point per group, without loss.
 *
 * @throws {RangeError} for an impossible shape, packing or group.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example Two rows of one group: the first in the high halves
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
  const groups = columns / group;
  const codeBytes = hqqCodeBytes(shape);
  checkLength(name, "W_q", planes.codes, codeBytes);
  checkLength(name, "scale", planes.scales, rows * groups);
  checkLength(name, "zero", planes.zeros, rows * groups);
  const words = bytes === 1 ? planes.codes : new Uint32Array(planes.codes.slice().buffer);
  const step = codeBytes / bytes / group;
  const mask = 2 ** bits - 1;
  return packRows(layout, rows, columns, {
    codes(row, codes) {
      for (let g = 0; g < groups; g++) {
        const line = row * groups + g;
        const part = Math.floor(line / step);
        const from = (line - part * step) * group;
        const shift = bits * (parts - 1 - part);
        for (let k = 0; k < group; k++) codes[g * group + k] = (words[from + k] >>> shift) & mask;
      }
    },
    scale: (row, g) => planes.scales[row * groups + g],
    second: (row, g) => planes.zeros[row * groups + g],
  });
}
