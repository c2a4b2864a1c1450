/**
 * What every layout answers about itself: a new one is a file with these answers and a line in `layout_table.ts`.
 *
 * @module
 */

/** How elements that are not quantised are stored. */
export type ElementType = "f32" | "f16" | "bf16";

/** Words in each plane of a packed tensor. */
export interface PlaneWords {
  /** Elements or codes. */
  codes: number;
  /** Scales, zero points, minima. */
  scales: number;
  /** What rows share. */
  codebook: number;
}

/** A plane as a file of this library's own has it. */
export interface PlaneShape {
  /** Which. */
  readonly plane: keyof PlaneWords;
  /** What follows the tensor's name there; undefined for nothing. */
  readonly suffix?: "codes" | "scales" | "codebook";
  /** As safetensors calls it. */
  readonly dtype: "F32" | "F16" | "BF16" | "U32";
  /** In elements of that type. */
  readonly shape: number[];
}

/** The answers of a layout. */
export interface LayoutRules<L> {
  /** Whether elements are codes under scales; else they are numbers themselves. */
  readonly isQuantised: boolean;
  /**
   * Whether an offset of scales multiplies weights: its scales are integers within super-blocks or of single columns. Then only the
   * relative form trains it, with an offset per any multiple of 32 columns.
   */
  readonly isRelativeOnly: boolean;
  /** Whether scales are integers, which change only together with the factors of their super-block. */
  readonly hasIntegerScales: boolean;
  /** The plane that holds what training scales changes. */
  readonly scalesPlane: keyof PlaneWords;
  /** The type of elements that are no codes. */
  elementType(layout: L): ElementType | undefined;
  /** Columns that share one scale. */
  groupColumns(layout: L, columns: number): number;
  /** Whether a zero point or minimum is stored beside each scale, in the same word. */
  isPaired(layout: L): boolean;
  /** The largest magnitude that a value may have, infinity where any may: that of the largest code under the largest scale. */
  reach(layout: L): number;
  /** Scales in a row. */
  groupsPerRow(layout: L, columns: number): number;
  /** Rows that have scales of their own. */
  scaleRows(layout: L, rows: number): number;
  /** How many rows on the scales are the same again; undefined where every row has its own. */
  rowPeriod(layout: L): number | undefined;
  /** What the columns of a tensor must be a multiple of. */
  columnMultiple(layout: L): number;
  /** Words in each plane of a `rows x columns` tensor. */
  planeWords(layout: L, rows: number, columns: number): PlaneWords;
  /** Bytes of a row in a file that holds the planes one behind the other. */
  rowBytes(layout: L, columns: number): number;
  /** The planes of a `rows x columns` tensor as tensors of a file. */
  planeShapes(layout: L, rows: number, columns: number): PlaneShape[];
  /** What `codebook` holds before anything is packed, where it is not zeros: the points of a grid. */
  sharedPlane?(layout: L): Uint32Array<ArrayBuffer> | undefined;
  /** What it has besides its scales that can be trained. */
  secondPart(layout: L): "codebook" | "minima" | undefined;
  /** Whether it adds minima that are numbers of their own: a relative offset of its scales has to multiply them too. */
  addsMinima(layout: L): boolean;
  /** Why minima or zero points that it has cannot be trained for themselves; undefined where they can be, or there are none. */
  whyMinimaStay(layout: L): string | undefined;
  /** Whether two are the same in every field. */
  isSame(one: L, other: L): boolean;
}

/** Words of codes that lie in blocks of 32 columns. */
export function blockWords(bits: number, rows: number, columns: number): number {
  return rows * (columns / 32) * bits;
}

/** Magnitudes from here on are rounded to infinity by a type. */
export const BEYOND: Readonly<Record<"f16" | "bf16" | "f32", number>> = {
  f16: 65520,
  bf16: (2 - 2 ** -8) * 2 ** 127,
  f32: Infinity,
};
