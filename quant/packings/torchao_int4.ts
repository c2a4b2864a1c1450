/**
 * Four-bit matrices as pytorch/ao stores them, in two forms. In both, the weight is `(q - 8) * scale + zero`.
 *
 * Row form (`Int4Tensor`): a byte holds two neighbouring columns as signed integers, the even one in the low half.
 * Scales and zeros are [groups, rows].
 *
 * Tiled form (`Int4TilePackedTo4dTensor`, PyTorch's `_convert_weight_to_int4pack` on CUDA): rows are padded to a
 * multiple of 8 and columns to a multiple of `16 * tiles`. The words are [rows / 8, columns / (16 * tiles), 32, tiles /
 * 2]. Lane `t` of 32 holds row `t / 4` of its 8 rows. Of the 32 columns of its word `j` it holds `c = 2 (t mod 4)`, `c
 * + 8`, `c + 16` and `c + 24` in nibbles 0 to 3, and their right neighbours in nibbles 4 to 7. Scales and zeros are
 * pairs, [groups, rows, 2].
 *
 * @module
 */

import type { PackedTensor, ScalarLayout } from "../layouts/layout.ts";
import { checkShape } from "../layouts/planes.ts";
import { packRows } from "./row_packing.ts";
import { checkLength, type StoredWords } from "./transposed.ts";

/** The properties common to both forms. */
export interface Int4Shape {
  /** Columns that share a scale: a multiple of 32. */
  readonly group: number;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Name for messages. Default "tensor". */
  readonly name?: string;
}

/** The shape of the tiled form. */
export interface Int4TileShape extends Int4Shape {
  /** Number of adjacent tiles of 16 columns: 2, 4 or 8. */
  readonly tiles: number;
  /** Columns including padding: a multiple of `16 * tiles`. torchao pads to 1024. */
  readonly width: number;
}

/** Planes of the row form. */
export interface Int4RowPlanes {
  /** Bytes, `[rows, columns / 2]`. */
  readonly codes: Uint8Array;
  /** f16 bits, `[groups, rows]`. */
  readonly scales: Uint16Array;
  /** f16 bits, `[groups, rows]`. */
  readonly zeros: Uint16Array;
}

/** Planes of the tiled form. */
export interface Int4TilePlanes {
  /** Words, `[rows / 8, columns / (16 * tiles), 32, tiles / 2]`, rounded up. */
  readonly codes: StoredWords;
  /** f16 bits, `[groups, rows rounded up to 8, 2]`. */
  readonly scaleAndZero: Uint16Array;
}

/**
 * The layout of either form.
 *
 * @throws {RangeError} for an impossible shape or group.
 */
export function int4Layout({ group, rows, columns, name = "tensor" }: Int4Shape): ScalarLayout {
  if (!(Number.isSafeInteger(group) && group > 0 && group % 32 === 0)) {
    throw new RangeError(`Cannot unpack "${name}": groups of ${group}, expected a multiple of 32`);
  }
  const layout: ScalarLayout = {
    kind: "scalar",
    bits: 4,
    center: 8,
    second: "min",
    group: group >= columns ? 0 : group,
  };
  checkShape(layout, rows, columns);
  return layout;
}

/**
 * Converts planes of the row form to the scalar layout, losslessly.
 *
 * @throws {RangeError} for an impossible shape or group.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example Codes are signed
 * ```ts
 * import { decode, int4RowsToPacked } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const [one, ten] = [Uint16Array.of(0x3c00), Uint16Array.of(0x4900)]; // f16
 * const planes = { codes: new Uint8Array(16).fill(0xf1), scales: one, zeros: ten };
 * const values = decode(int4RowsToPacked(planes, { group: 32, rows: 1, columns: 32 }));
 * assertEquals([...values.subarray(0, 2)], [11, 9]);
 * ```
 */
export function int4RowsToPacked(planes: Int4RowPlanes, shape: Int4Shape): PackedTensor {
  const layout = int4Layout(shape);
  const { group, rows, columns, name = "tensor" } = shape;
  const groups = Math.ceil(columns / group);
  checkLength(name, "qdata", planes.codes, rows * columns / 2);
  checkLength(name, "scale", planes.scales, rows * groups);
  checkLength(name, "zero_point", planes.zeros, rows * groups);
  return packRows(layout, rows, columns, {
    codes(row, codes) {
      const from = row * columns / 2;
      for (let k = 0; k < columns; k++) {
        // A signed code plus 8: inverts the top bit.
        codes[k] = ((planes.codes[from + (k >> 1)] >> (4 * (k & 1))) & 15) ^ 8;
      }
    },
    scale: (row, g) => planes.scales[g * rows + row],
    second: (row, g) => planes.zeros[g * rows + row],
  });
}

/**
 * Converts planes of the tiled form to the scalar layout, losslessly.
 *
 * @throws {RangeError} for an impossible shape, group or number of tiles.
 * @throws {TypeError} for a plane of the wrong length.
 */
export function int4TilesToPacked(planes: Int4TilePlanes, shape: Int4TileShape): PackedTensor {
  const layout = int4Layout(shape);
  const { group, rows, columns, width, tiles, name = "tensor" } = shape;
  if (tiles !== 2 && tiles !== 4 && tiles !== 8) {
    throw new RangeError(`Cannot unpack "${name}": ${tiles} inner tiles; expected one of 2, 4, 8`);
  }
  if (!Number.isSafeInteger(width) || width < columns || width % (16 * tiles) !== 0) {
    throw new RangeError(`Cannot unpack "${name}": ${width} columns in tiles of ${16 * tiles}`);
  }
  const height = Math.ceil(rows / 8) * 8;
  const outers = width / (16 * tiles);
  checkLength(name, "qdata", planes.codes, height * width / 8);
  checkLength(name, "scale_and_zero", planes.scaleAndZero, Math.ceil(width / group) * height * 2);
  return packRows(layout, rows, columns, {
    codes(row, codes) {
      for (let k = 0; k < columns; k++) {
        const outer = Math.floor(k / (16 * tiles));
        const lane = (row % 8) * 4 + ((k % 8) >> 1);
        const word = (Math.floor(row / 8) * outers + outer) * 32 + lane;
        const nibble = ((k >> 3) & 3) + 4 * (k & 1);
        const at = word * (tiles / 2) + ((k % (16 * tiles)) >> 5);
        codes[k] = (planes.codes[at] >>> (4 * nibble)) & 15;
      }
    },
    scale: (row, g) => planes.scaleAndZero[(g * height + row) * 2],
    second: (row, g) => planes.scaleAndZero[(g * height + row) * 2 + 1],
  });
}
