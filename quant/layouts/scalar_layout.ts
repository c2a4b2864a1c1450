/**
 * The scalar layout: codes of a few bits in groups of columns.
 *
 * @module
 */
import { CODE_TABLES, type CodeTable } from "./code_tables.ts";
import { BEYOND, blockWords, type LayoutRules } from "./layout_rules.ts";

/**
 * Codes of a few bits that share a scale per group of columns.
 *
 * The value of code `q` depends on `second`:
 * - `"none"`: `scale * (q - center)`, or `scale * table[q]` if there is a table
 * - `"zero"`: `scale * (q - zero)` (a zero point per group)
 * - `"min"`: `scale * (q - center) + min` (a minimum per group or, if `center` is not 0, the value of the middle code)
 */
export interface ScalarLayout {
  /** Discriminant of the union. */
  readonly kind: "scalar";
  /** Bits per code. */
  readonly bits: 2 | 3 | 4 | 5 | 6 | 8;
  /** Subtracted from codes, except when `second` is "zero". */
  readonly center: number;
  /** The value stored next to each scale. */
  readonly second: "none" | "zero" | "min";
  /** Columns that share a scale, a multiple of 32; 0 means the whole row. The last group may be partial. */
  readonly group: number;
  /** Number of codes in use: ternary formats use 3 of 4. Default: all. */
  readonly levels?: number;
  /**
   * Name of the table with the values of 4-bit codes. Only with second "none" and center 0. Default: a code is its own
   * value.
   */
  readonly table?: CodeTable;
}

const groupOf = ({ group }: ScalarLayout, columns: number): number => group === 0 ? columns : group;
const groupsOf = (layout: ScalarLayout, columns: number): number =>
  Math.ceil(columns / groupOf(layout, columns));

/** The rules of the scalar layout. */
export const scalarRules: LayoutRules<ScalarLayout> = {
  isQuantised: true,
  isRelativeOnly: false,
  hasIntegerScales: false,
  isPaired: ({ second }) => second !== "none",
  reach({ bits, center, second, levels = 2 ** bits, table }) {
    // A minimum is itself a value, stored as f16.
    if (second === "min") return BEYOND.f16;
    if (table) return BEYOND.f16 * Math.max(...CODE_TABLES[table].map(Math.abs));
    // With a zero point, codes may be on both sides of zero.
    return BEYOND.f16 *
      (second === "zero" ? (levels - 1) / 2 : Math.max(center, levels - 1 - center));
  },
  scalesPlane: "scales",
  elementType: () => undefined,
  groupColumns: groupOf,
  groupsPerRow: groupsOf,
  scaleRows: (_, rows) => rows,
  rowPeriod: () => undefined,
  columnMultiple: () => 32,
  planeWords(layout, rows, columns) {
    const groups = rows * groupsOf(layout, columns);
    return {
      codes: blockWords(layout.bits, rows, columns),
      scales: layout.second === "none" ? Math.ceil(groups / 2) : groups,
      codebook: 0,
    };
  },
  rowBytes: (layout, columns) =>
    columns * layout.bits / 8 + groupsOf(layout, columns) * (layout.second === "none" ? 2 : 4),
  planeShapes(layout, rows, columns) {
    const groups = groupsOf(layout, columns);
    const shape = layout.second === "none" ? [rows, groups] : [rows, groups, 2];
    return [
      {
        plane: "codes",
        suffix: "codes",
        dtype: "U32",
        shape: [rows, blockWords(layout.bits, 1, columns)],
      },
      { plane: "scales", suffix: "scales", dtype: "F16", shape },
    ];
  },
  secondPart: ({ second }) => second === "none" ? undefined : "minima",
  addsMinima: ({ second }) => second === "min",
  whyMinimaStay: () => undefined,
  isSame: (one, other) =>
    one.bits === other.bits && one.center === other.center && one.second === other.second &&
    one.group === other.group && one.table === other.table && one.levels === other.levels,
};
