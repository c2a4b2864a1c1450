/**
 * The column layout: scales per column, which rows a fixed stride apart share.
 *
 * @module
 */
import { BEYOND, blockWords, type LayoutRules } from "./layout_rules.ts";

/**
 * Codes of a few bits where every column has scales of its own, which rows a fixed stride apart share: row `r` has those of class
 * `r mod classes` (HQQ along axis 0). The value of code `q` is `scale * (q - zero)`.
 *
 * Trained by the relative form only: an offset per class and span of columns, any multiple of 32.
 */
export interface ColumnLayout {
  /** The tag of the union. */
  readonly kind: "column";
  /** Width of a code. */
  readonly bits: 2 | 3 | 4 | 8;
  /** Rows that have scales of their own: a multiple of 4. */
  readonly classes: number;
}

/** The column layout's answers. */
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
