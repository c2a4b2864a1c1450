/**
 * The rules that every layout defines. A new layout is a file with these rules and a line in `layout_table.ts`.
 *
 * @module
 */

/** Type of elements that are not quantised. */
export type ElementType = "f32" | "f16" | "bf16";

/** Number of words in each plane of a packed tensor. */
export interface PlaneWords {
  /** Elements or codes. */
  codes: number;
  /** Scales, zero points and minima. */
  scales: number;
  /** Values shared by several rows. */
  codebook: number;
}

/** A plane as stored in this library's own files. */
export interface PlaneShape {
  /** The plane. */
  readonly plane: keyof PlaneWords;
  /** Suffix of the tensor's name. Undefined for none. */
  readonly suffix?: "codes" | "scales" | "codebook";
  /** Element type, as named by safetensors. */
  readonly dtype: "F32" | "F16" | "BF16" | "U32";
  /** Shape in elements of that type. */
  readonly shape: number[];
}

/** The rules of a layout. */
export interface LayoutRules<L> {
  /** Whether elements are codes with scales. If not, they are the numbers themselves. */
  readonly isQuantised: boolean;
  /**
   * Whether offsets of scales multiply weights, because scales are integers within super-blocks or belong to single columns. Such scales can be
   * trained only in the relative form, with one offset per 32 columns or any multiple of that.
   */
  readonly isRelativeOnly: boolean;
  /** Whether scales are integers, which change only together with the factors of their super-block. */
  readonly hasIntegerScales: boolean;
  /** The plane that changes when scales are trained. */
  readonly scalesPlane: keyof PlaneWords;
  /** Type of elements that are not codes. Undefined if they are codes. */
  elementType(layout: L): ElementType | undefined;
  /** Number of columns that share one scale. */
  groupColumns(layout: L, columns: number): number;
  /** Whether a zero point or minimum is stored beside each scale, in the same word. */
  isPaired(layout: L): boolean;
  /** Magnitude from which values cannot be stored: that of the largest code at the largest scale. Infinity if there is no limit. */
  reach(layout: L): number;
  /** Number of scales per row. */
  groupsPerRow(layout: L, columns: number): number;
  /** Number of rows with their own scales. */
  scaleRows(layout: L, rows: number): number;
  /** Number of rows after which the scales repeat. Undefined if every row has its own. */
  rowPeriod(layout: L): number | undefined;
  /** The number that the columns of a tensor must be a multiple of. */
  columnMultiple(layout: L): number;
  /** Number of words in each plane of a `rows x columns` tensor. */
  planeWords(layout: L, rows: number, columns: number): PlaneWords;
  /** Number of bytes per row in a file that stores the planes one after the other. */
  rowBytes(layout: L, columns: number): number;
  /** The planes of a `rows x columns` tensor, as stored in a file. */
  planeShapes(layout: L, rows: number, columns: number): PlaneShape[];
  /** Initial contents of `codebook`, if they are not zeros: the points of a grid. */
  sharedPlane?(layout: L): Uint32Array<ArrayBuffer> | undefined;
  /** The part besides scales that can be trained. Undefined if there is none. */
  secondPart(layout: L): "codebook" | "minima" | undefined;
  /** Whether minima are added that are stored as separate numbers, which a relative offset of the scales must also multiply. */
  addsMinima(layout: L): boolean;
  /** Why its minima or zero points cannot be trained separately. Undefined if they can, or if there are none. */
  whyMinimaStay(layout: L): string | undefined;
  /** Whether two layouts are equal in every field. */
  isSame(one: L, other: L): boolean;
}

/** Number of words of codes in blocks of 32 columns. */
export function blockWords(bits: number, rows: number, columns: number): number {
  return rows * (columns / 32) * bits;
}

/** Magnitudes from which a type rounds to infinity. */
export const BEYOND: Readonly<Record<"f16" | "bf16" | "f32", number>> = {
  f16: 65520,
  bf16: (2 - 2 ** -8) * 2 ** 127,
  f32: Infinity,
};
