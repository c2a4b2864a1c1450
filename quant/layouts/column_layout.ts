/**
 * The column layout: scales per column, shared by rows that are a fixed stride apart.
 *
 * @module
 */
import { BEYOND, blockWords, type LayoutRules } from "./layout_rules.ts";

/**
 * Codes of a few bits with scales per column, shared by rows that are a fixed stride apart: row `r` uses the scales of
 * class `r mod classes` (HQQ along axis 0). The value of code `q` is `scale * (q - zero)`.
 *
 * Only the relative form can be trained: one offset per class and span of columns, where a span is any multiple of 32.
 */
export interface ColumnLayout {
  /** Discriminant of the union. */
  readonly kind: "column";
  /** Bits per code. */
  readonly bits: 2 | 3 | 4 | 8;
  /** Number of row classes, each with its own scales: a multiple of 4. */
  readonly classes: number;
}

/** The rules of the column layout. */
export const columnRules: LayoutRules<ColumnLayout> = {
  isQuantised: true,
  isRelativeOnly: true,
  hasIntegerScales: false,
  isPaired: () => true,
  reach: () => BEYOND.f16,
  scalesPlane: "codebook",
  elementType: () => undefined,
  groupColumns: () => 1,
  groupsPerRow: (_, columns) => columns,
  scaleRows: ({ classes }) => classes,
  rowPeriod: ({ classes }) => classes,
  columnMultiple: () => 32,
  planeWords: ({ bits, classes }, rows, columns) => ({
    codes: blockWords(bits, rows, columns),
    scales: 0,
    codebook: classes * columns,
  }),
  rowBytes: ({ bits }, columns) => columns * bits / 8,
  planeShapes: ({ bits, classes }, rows, columns) => [
    { plane: "codes", suffix: "codes", dtype: "U32", shape: [rows, blockWords(bits, 1, columns)] },
    { plane: "codebook", suffix: "scales", dtype: "F16", shape: [classes, columns, 2] },
  ],
  secondPart: () => undefined,
  addsMinima: () => false,
  whyMinimaStay: () =>
    "every column has its own, which only relative offsets of kind scales can train",
  isSame: (one, other) => one.bits === other.bits && one.classes === other.classes,
};
