/**
 * Integer matrices as vllm-project/compressed-tensors stores them, in two forms.
 *
 * "pack-quantized": `weight_packed` [rows, ceil(columns / n)] holds `n = floor(32 / bits)` codes of a row in each
 * 32-bit word, lowest bits first. Zero points are packed in the same way along the rows, [ceil(rows / n), groups].
 * Codes and zero points are signed integers plus `2 ** (bits - 1)`.
 *
 * "int-quantized": signed bytes. In both forms the weight is `(q - zero) * scale`.
 *
 * @module
 */

import { numberToFloat16 } from "../layouts/float16.ts";
import { groupsPerRow, type PackedTensor, type ScalarLayout } from "../layouts/layout.ts";
import { checkShape } from "../layouts/planes.ts";
import { packRows, wholeGroup } from "./row_packing.ts";
import { checkLength, type StoredWords } from "./transposed.ts";

/** The stored planes of one linear layer. */
export interface CompressedPlanes {
  /** Packed words, or signed bytes. */
  readonly codes: StoredWords | Int8Array;
  /** f16 bits, `[rows, groups]`. */
  readonly scales: Uint16Array;
  /** Packed words along the rows, or signed bytes `[rows, groups]`. Only for asymmetric quantisation. */
  readonly zeros?: StoredWords | Int8Array | undefined;
}

/** The shape of a linear layer. */
export interface CompressedShape {
  /** Bits per code. */
  readonly bits: 2 | 3 | 4 | 8;
  /** Columns that share a scale: a multiple of 32 that divides the number of columns, or -1 for the whole row. */
  readonly group: number;
  /** Order of the columns in which those of a group are adjacent; see `gptqColumnOrder`. Default: as stored. */
  readonly order?: Uint32Array | undefined;
  /** True if there are no zero points. */
  readonly symmetric: boolean;
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
 * @throws {RangeError} for an impossible shape, width or group.
 */
export function compressedLayout(
  { bits, group, symmetric, rows, columns, name = "tensor" }: CompressedShape,
): ScalarLayout {
  if (bits !== 2 && bits !== 3 && bits !== 4 && bits !== 8) {
    throw new RangeError(`Cannot unpack "${name}": ${bits} bits; expected one of 2, 3, 4, 8`);
  }
  const layout: ScalarLayout = {
    kind: "scalar",
    bits,
    center: symmetric ? 2 ** (bits - 1) : 0,
    second: symmetric ? "none" : "zero",
    group: group === -1 ? 0 : wholeGroup(group, columns, name),
  };
  checkShape(layout, rows, columns);
  return layout;
}

/** Number of codes per 32-bit word. */
export function codesPerWord(bits: number): number {
  return Math.floor(32 / bits);
}

/**
 * Converts a linear layer to the scalar layout, losslessly.
 *
 * @throws {RangeError} for an impossible shape, width or group.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example Code 9 of a symmetric row is one
 * ```ts
 * import { compressedToPacked, decode } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const packed = compressedToPacked({
 *   codes: new Uint32Array(4).fill(0x99999999),
 *   scales: Uint16Array.of(0x3c00),
 * }, { bits: 4, group: -1, symmetric: true, rows: 1, columns: 32 });
 * assertEquals(decode(packed), new Float32Array(32).fill(1));
 * ```
 */
export function compressedToPacked(
  { codes: stored, scales, zeros }: CompressedPlanes,
  shape: CompressedShape,
): PackedTensor {
  const layout = compressedLayout(shape);
  const { bits, symmetric, rows, columns, order, name = "tensor" } = shape;
  if (order) checkLength(name, "order", order, columns);
  const groups = groupsPerRow(layout, columns);
  const each = codesPerWord(bits);
  const mask = 2 ** bits - 1;
  const half = 2 ** (bits - 1);
  const isBytes = stored instanceof Int8Array;
  const width = isBytes ? columns : Math.ceil(columns / each);
  checkLength(name, isBytes ? "weight" : "weight_packed", stored, rows * width);
  checkLength(name, "weight_scale", scales, rows * groups);
  const zeroLines = zeros instanceof Int8Array ? rows : Math.ceil(rows / each);
  if (!symmetric) checkLength(name, "weight_zero_point", zeros ?? [], zeroLines * groups);
  return packRows(layout, rows, columns, {
    codes(row, codes) {
      const from = row * width;
      for (let k = 0; k < columns; k++) {
        const column = order ? order[k] : k;
        codes[k] = isBytes
          ? (stored[from + column] + half) & mask
          : (stored[from + Math.floor(column / each)] >>> (bits * (column % each))) & mask;
      }
    },
    scale: (row, g) => scales[row * groups + g],
    second(row, g) {
      if (zeros instanceof Int8Array) return numberToFloat16(zeros[row * groups + g] + half);
      const word = zeros![Math.floor(row / each) * groups + g];
      return numberToFloat16((word >>> (bits * (row % each))) & mask);
    },
  });
}
