/**
 * GPTQ checkpoints as AutoGPTQ and GPTQModel store them (method: Frantar et al. 2022, arXiv 2210.17323).
 *
 * Codes and zero points are bit streams in 32-bit words, lowest bit first: `qweight` along the input features, word by
 * word in `[columns * bits / 32, rows]`, and `qzeros` along the output features in `[groups, rows * bits / 32]`. A
 * 3-bit value may span two words. The weight is `scales * (q - zero)`.
 *
 * @module
 */

import { groupsPerRow, type PackedTensor } from "../layouts/layout.ts";
import {
  checkLength,
  codeByCode,
  type FillBlock,
  packTransposed,
  type StoredWords,
  transposedLayout,
  type TransposedShape,
} from "./transposed.ts";

/** The stored planes of one linear layer. */
export interface GptqPlanes {
  /** Codes, `[columns * bits / 32, rows]`. */
  readonly qweight: StoredWords;
  /** Zero points, `[groups, rows * bits / 32]`. */
  readonly qzeros: StoredWords;
  /** f16 bits, `[groups, rows]`. */
  readonly scales: Uint16Array;
  /** The group of each input feature, `[columns]`. Default: consecutive groups. */
  readonly gIdx?: Int32Array;
}

/** The shape of a linear layer, and the version of its encoding. */
export interface GptqShape extends TransposedShape {
  /** `"v1"` stores zero points minus one, `"v2"` stores them unchanged. */
  readonly version: "v1" | "v2";
}

/**
 * Converts a linear layer to the scalar layout with a zero point per group, losslessly. If `gIdx` is not in consecutive
 * order (`desc_act`), the columns are stored in {@linkcode gptqColumnOrder}.
 *
 * In v1, one is added to the zero points, the inverse of what GPTQModel does: for 3 bits to each value modulo 8, for
 * other widths to whole words. Writers of v1 subtract one from whole words, so a zero point of 0 borrows from its
 * neighbour; the addition undoes this.
 *
 * @throws {RangeError} for an impossible shape, width or group, and for a `gIdx` with groups of other sizes.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example Code 9, zero point 8 and scale 1
 * ```ts
 * import { decode, gptqToPacked } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const packed = gptqToPacked({
 *   qweight: new Int32Array(4 * 8).fill(0x99999999 | 0),
 *   qzeros: new Int32Array(1).fill(0x77777777),
 *   scales: new Uint16Array(8).fill(0x3c00),
 * }, { bits: 4, group: 128, rows: 8, columns: 32, version: "v1" });
 * assertEquals(decode(packed), new Float32Array(8 * 32).fill(1));
 * ```
 */
export function gptqToPacked(planes: GptqPlanes, shape: GptqShape): PackedTensor {
  const { qweight, qzeros, scales, gIdx } = planes;
  const { bits, group, rows, columns, version, name = "tensor" } = shape;
  const layout = transposedLayout(shape);
  if (version !== "v1" && version !== "v2") {
    throw new RangeError(`Cannot unpack "${name}": version "${version}"; expected one of v1, v2`);
  }
  const groups = groupsPerRow(layout, columns);
  const zeroWords = rows * bits / 32;
  checkLength(name, "qweight", qweight, columns / 32 * bits * rows);
  checkLength(name, "qzeros", qzeros, groups * zeroWords);
  checkLength(name, "scales", scales, groups * rows);
  const order = gIdx && gptqColumnOrder(gIdx, group, columns, name);
  const zeroAt = zerosOf(qzeros, bits, version);
  return packTransposed(
    layout,
    rows,
    columns,
    scales,
    (g, row) => zeroAt(g * zeroWords, row),
    bits === 4 && !order ? fourBits(qweight, rows) : codeByCode(bits, (block, row, codes) => {
      for (let k = 0; k < 32; k++) {
        const column = order ? order[block * 32 + k] : block * 32 + k;
        codes[k] = bitsAt(qweight, row, rows, column * bits, bits);
      }
    }),
  );
}

// The zero points of a row of `qzeros`, which starts at word `first`.
function zerosOf(
  qzeros: StoredWords,
  bits: number,
  version: "v1" | "v2",
): (first: number, row: number) => number {
  const words = version === "v2" || bits === 3
    ? qzeros
    : Uint32Array.from(qzeros, (word) => word + (2 ** 32 - 1) / (2 ** bits - 1));
  const each = version === "v1" && bits === 3 ? 1 : 0;
  return (first, row) => (bitsAt(words, first, 1, row * bits, bits) + each) & (2 ** bits - 1);
}

/**
 * An order of the columns in which those of a group are adjacent: by group, and within a group as stored. Undefined if
 * they already are, which an all-zero `gIdx` also means. A tensor in this order must be multiplied by inputs in this
 * order, `x[order[j]]`.
 *
 * @param gIdx The group of each column.
 * @throws {RangeError} naming the tensor, when a group does not exist or has more or fewer columns than the others.
 * @throws {TypeError} when there is not exactly one index per column.
 *
 * @example Columns of two groups, interleaved
 * ```ts
 * import { gptqColumnOrder } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const gIdx = Int32Array.from({ length: 64 }, (_, column) => column % 2);
 * const order = gptqColumnOrder(gIdx, 32, 64)!;
 * assertEquals([order[1], order[32], order[63]], [2, 1, 63]);
 * ```
 */
export function gptqColumnOrder(
  gIdx: Int32Array,
  group: number,
  columns: number,
  name = "tensor",
): Uint32Array<ArrayBuffer> | undefined {
  checkLength(name, "g_idx", gIdx, columns);
  const size = group === -1 ? columns : group;
  const groups = Math.ceil(columns / size);
  // Writers that do not reorder columns leave the plane all zero.
  if (gIdx.every((g) => g === 0)) return undefined;
  const filled = new Uint32Array(groups);
  const order = new Uint32Array(columns);
  let inOrder = true;
  for (let column = 0; column < columns; column++) {
    const g = gIdx[column];
    const room = Math.min(size, columns - g * size);
    if (!(g >= 0 && g < groups) || filled[g] === room) {
      throw new RangeError(
        `Cannot unpack "${name}": g_idx puts column ${column} in group ${g}, but there are ${groups} groups of ${size}`,
      );
    }
    const place = g * size + filled[g]++;
    order[place] = column;
    inOrder &&= place === column;
  }
  return inOrder ? undefined : order;
}

// The common width, by whole words: columns j and j + 16 of a block share a byte.
function fourBits(qweight: StoredWords, rows: number): FillBlock {
  return (block, row, words, at) => {
    const first = block * 4 * rows + row;
    for (let half = 0; half < 2; half++) {
      const low = qweight[first + half * rows];
      const high = qweight[first + (half + 2) * rows];
      words[at + 2 * half] = spread(low) | (spread(high) << 4);
      words[at + 2 * half + 1] = spread(low >>> 16) | (spread(high >>> 16) << 4);
    }
  };
}

// The four lowest nibbles, each in the low half of its own byte.
function spread(nibbles: number): number {
  return (nibbles & 0xf) | ((nibbles & 0xf0) << 4) | ((nibbles & 0xf00) << 8) |
    ((nibbles & 0xf000) << 12);
}

// Bits of a stream whose words are `stride` apart.
function bitsAt(
  words: StoredWords,
  first: number,
  stride: number,
  bit: number,
  width: number,
): number {
  const at = bit & 31;
  const word = first + (bit >>> 5) * stride;
  let value = words[word] >>> at;
  if (at + width > 32) value |= words[word + stride] << (32 - at);
  return value & (2 ** width - 1);
}
