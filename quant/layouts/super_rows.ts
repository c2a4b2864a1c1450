/**
 * Decodes rows of super-blocks. These plain loops define the meaning of the layout.
 *
 * @module
 */

import { CODE_TABLES } from "./code_tables.ts";
import {
  type Grid,
  gridLevels,
  gridNamed,
  GRIDS,
  highBits,
  pointOf,
  shiftBit,
  signsWord,
} from "./grids.ts";
import { float16ToNumber } from "./float16.ts";
import type { PackedTensor, SuperLayout } from "./layout.ts";
import { planeBytes } from "./planes.ts";
import { readCodes } from "./scalar_codes.ts";
import {
  emptySuperBlock,
  readSuperBlock,
  SUPER_SCALES,
  superFactor,
  superWords,
} from "./super_scales.ts";

/** Offset in bytes of a super-block's scales within the plane of scales. */
export function superByte(
  layout: SuperLayout,
  columns: number,
  row: number,
  block: number,
): number {
  const { words } = SUPER_SCALES[layout.scales];
  return 4 * superWords(layout.scales, columns) * row + block * (words === 0 ? 1 : 4 * words);
}

/** A function that writes the elements of one row at an offset of an array. */
export function superRows(
  t: PackedTensor,
  layout: SuperLayout,
): (row: number, values: Float32Array, at: number) => void {
  const { columns } = t;
  const { bits, center, scales: packing, table } = layout;
  const { columns: width, group } = SUPER_SCALES[packing];
  const grid = gridNamed(packing);
  if (grid) return gridRows(t, layout, grid);
  const meanings = table
    ? CODE_TABLES[table]
    : Float32Array.from({ length: 2 ** bits }, (_, q) => q - center);
  const bytes = planeBytes(t.codes);
  const scaleBytes = planeBytes(t.scales);
  const codes = new Uint8Array(columns);
  const block = emptySuperBlock(packing);
  return (row, values, at) => {
    readCodes(bytes, row * columns * bits / 8, bits, columns / 32, codes);
    for (let b = 0; b < columns / width; b++) {
      readSuperBlock(packing, scaleBytes, superByte(layout, columns, row, b), block);
      const d = superFactor(packing, block.d);
      const dmin = float16ToNumber(block.dmin);
      for (let g = 0; g < width / group; g++) {
        const scale = d * block.scales[g];
        const min = dmin * block.minima[g];
        const from = b * width + g * group;
        for (let k = from; k < from + group; k++) values[at + k] = scale * meanings[codes[k]] - min;
      }
    }
  };
}

function gridRows(
  t: PackedTensor,
  layout: SuperLayout,
  grid: Grid,
): (row: number, values: Float32Array, at: number) => void {
  const { columns } = t;
  const { bits, scales: packing } = layout;
  const { group, plus = 0 } = SUPER_SCALES[packing];
  const { columns: width, levels, signs, shift } = GRIDS[grid];
  const points = gridLevels(grid);
  const scaleBytes = planeBytes(t.scales);
  const block = emptySuperBlock(packing);
  return (row, values, at) => {
    for (let b = 0; b < columns / 32; b++) {
      const superAt = superByte(layout, columns, row, b >> 3);
      if (b % 8 === 0) readSuperBlock(packing, scaleBytes, superAt, block);
      const d = superFactor(packing, block.d);
      const high = highBits(grid, scaleBytes, superAt, b & 7);
      const words = (row * columns / 32 + b) * bits;
      const negative = signs ? t.codes[words + signsWord(grid)] : 0;
      for (let k = 0; k < 32; k++) {
        const i = Math.floor(k / width);
        const point = pointOf(grid, t.codes, words, high, i);
        const added = high >> shiftBit(grid, i) & 1 ? -shift : shift;
        const level = levels[points[point * width + k % width]] + added;
        const scale = d * (block.scales[Math.floor((b % 8 * 32 + k) / group)] + plus);
        values[at + 32 * b + k] = scale * (negative >>> k & 1 ? -level : level);
      }
    }
  };
}
