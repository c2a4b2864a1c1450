/**
 * Packs scalar tensors row by row, for files that store output-major matrices. Their readers provide the codes, scales and zero points.
 *
 * @module
 */

import { groupsPerRow, type PackedTensor, type ScalarLayout } from "../layouts/layout.ts";
import { emptyPacked, halves, planeBytes } from "../layouts/planes.ts";
import { writeCodes } from "../layouts/scalar_codes.ts";

/** Provides the contents of rows. */
export interface RowSource {
  /** Writes the codes of all columns of a row, each below `2 ** bits`. */
  readonly codes: (row: number, codes: Uint8Array) => void;
  /** Returns the f16 bits of a group's scale. */
  readonly scale: (row: number, group: number) => number;
  /** Returns the f16 bits of a group's zero point or minimum. Required if the layout has one. */
  readonly second?: (row: number, group: number) => number;
}

/**
 * Packs a tensor.
 *
 * @throws {RangeError} for an impossible shape.
 */
export function packRows(
  layout: ScalarLayout,
  rows: number,
  columns: number,
  source: RowSource,
): PackedTensor {
  const t = emptyPacked(layout, rows, columns);
  const groups = groupsPerRow(layout, columns);
  const bytes = planeBytes(t.codes);
  const stored = halves(t.scales);
  const codes = new Uint8Array(columns);
  const step = layout.second === "none" ? 1 : 2;
  for (let row = 0; row < rows; row++) {
    source.codes(row, codes);
    writeCodes(codes, layout.bits, columns / 32, bytes, row * columns * layout.bits / 8);
    for (let g = 0; g < groups; g++) {
      const at = (row * groups + g) * step;
      stored[at] = source.scale(row, g);
      if (step === 2) stored[at + 1] = source.second!(row, g);
    }
  }
  return t;
}

/**
 * The group size of a scalar layout: 0 if a group is the whole row.
 *
 * @throws {RangeError} for groups that are not a multiple of 32 or do not divide the columns.
 */
export function wholeGroup(group: number, columns: number, name: string): number {
  if (!(Number.isSafeInteger(group) && group > 0 && group % 32 === 0 && columns % group === 0)) {
    throw new RangeError(
      `Cannot unpack "${name}": groups of ${group} in ${columns} columns, expected a multiple of 32 that divides them`,
    );
  }
  return group === columns ? 0 : group;
}
