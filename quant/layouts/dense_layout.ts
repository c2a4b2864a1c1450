/**
 * The dense layout: elements that are not quantised.
 *
 * @module
 */
import { BEYOND, type ElementType, type LayoutRules } from "./layout_rules.ts";

/** The type of dense (unquantised) elements. */
export type DenseType = ElementType;

/** Unquantised elements. `codes` holds them; 16-bit elements are stored two per word, low half first. */
export interface DenseLayout {
  /** Discriminant of the union. */
  readonly kind: "dense";
  /** Type of each element. */
  readonly type: DenseType;
}

const DTYPES = { f32: "F32", f16: "F16", bf16: "BF16" } as const;

/** The rules of the dense layout. */
export const denseRules: LayoutRules<DenseLayout> = {
  isQuantised: false,
  isRelativeOnly: false,
  hasIntegerScales: false,
  isPaired: () => false,
  reach: ({ type }) => BEYOND[type],
  scalesPlane: "codes",
  elementType: ({ type }) => type,
  groupColumns: () => 1,
  groupsPerRow: () => 0,
  scaleRows: (_, rows) => rows,
  rowPeriod: () => undefined,
  columnMultiple: () => 1,
  planeWords({ type }, rows, columns) {
    const elements = rows * columns;
    return { codes: type === "f32" ? elements : Math.ceil(elements / 2), scales: 0, codebook: 0 };
  },
  rowBytes: ({ type }, columns) => columns * (type === "f32" ? 4 : 2),
  planeShapes: ({ type }, rows, columns) => [
    { plane: "codes", dtype: DTYPES[type], shape: [rows, columns] },
  ],
  secondPart: () => undefined,
  addsMinima: () => false,
  whyMinimaStay: () => undefined,
  isSame: (one, other) => one.type === other.type,
};
