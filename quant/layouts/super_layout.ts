/**
 * The super layout: groups whose scales are multiplied by the f16 factors of their super-block.
 *
 * @module
 */
import type { CodeTable } from "./code_tables.ts";
import { gridNamed, gridPlane, gridWords } from "./grids.ts";
import { BEYOND, blockWords, type LayoutRules } from "./layout_rules.ts";
import { SUPER_SCALES, type SuperScales, superWords } from "./super_scales.ts";

/**
 * Codes in super-blocks. Groups of 16 or 32 columns have integer scales (and minima), which are multiplied by one or
 * two f16 factors of their super-block. They stay packed as in the file (for grid formats, almost); see `SUPER_SCALES`.
 *
 * The value of code `q` is `scale * (q - center) - min`, or `scale * table[q]`. In grid formats, whose packing of
 * scales is named after the grid (`GRIDS`), codes are points of a grid. Only the relative form can be trained. It
 * multiplies scale and minimum alike, and a span is any multiple of 32 columns.
 */
export interface SuperLayout {
  /** Discriminant of the union. */
  readonly kind: "super";
  /** Bits per code; for grid formats, words per 32 columns. */
  readonly bits: 1 | 2 | 3 | 4 | 5 | 6;
  /** Subtracted from codes. */
  readonly center: number;
  /** How scales and minima are packed. */
  readonly scales: SuperScales;
  /** Name of the table with the values of 4-bit codes. Default: a code is its own value. */
  readonly table?: CodeTable;
}

const blockOf = ({ scales }: SuperLayout): number => SUPER_SCALES[scales].columns;

/** The rules of the super layout. */
export const superRules: LayoutRules<SuperLayout> = {
  isQuantised: true,
  isRelativeOnly: true,
  hasIntegerScales: true,
  isPaired: () => false,
  reach({ bits, center, table, scales }) {
    // Integer scales are at least 1, so at least the range of f16 can be stored.
    if (table || gridNamed(scales)) return BEYOND.f16;
    return BEYOND.f16 * Math.max(center, 2 ** bits - 1 - center);
  },
  scalesPlane: "scales",
  elementType: () => undefined,
  groupColumns: blockOf,
  groupsPerRow: (layout, columns) => Math.ceil(columns / blockOf(layout)),
  scaleRows: (_, rows) => rows,
  rowPeriod: () => undefined,
  columnMultiple: blockOf,
  planeWords({ bits, scales }, rows, columns) {
    const grid = gridNamed(scales);
    return {
      codes: blockWords(bits, rows, columns),
      scales: rows * superWords(scales, columns),
      codebook: grid ? gridWords(grid) : 0,
    };
  },
  rowBytes: ({ bits, scales }, columns) =>
    4 * (blockWords(bits, 1, columns) + superWords(scales, columns)),
  planeShapes: ({ bits, scales }, rows, columns) => [
    { plane: "codes", suffix: "codes", dtype: "U32", shape: [rows, blockWords(bits, 1, columns)] },
    { plane: "scales", suffix: "scales", dtype: "U32", shape: [rows, superWords(scales, columns)] },
  ],
  sharedPlane({ scales }) {
    const grid = gridNamed(scales);
    return grid && gridPlane(grid);
  },
  secondPart: () => undefined,
  addsMinima: () => false,
  whyMinimaStay: ({ scales }) =>
    SUPER_SCALES[scales].minima
      ? "they are integers within super-blocks, where a relative offset of kind scales multiplies both scale and minimum"
      : undefined,
  isSame: (one, other) =>
    one.bits === other.bits && one.center === other.center && one.scales === other.scales &&
    one.table === other.table,
};
