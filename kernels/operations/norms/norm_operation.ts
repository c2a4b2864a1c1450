/**
 * Options and signature common to all normalisations.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import type { ForwardContext, RowList } from "../context.ts";

/** The f32 vectors that a normalised row is multiplied by and shifted by, if present. */
export interface NormVectors {
  /** Multiplies the row. */
  readonly gain?: DeviceTensor | undefined;
  /** Is added to the row. */
  readonly bias?: DeviceTensor | undefined;
}

/** Options of a normalisation. */
export interface NormOptions {
  /** Elements per row. */
  readonly width: number;
  /** Added to the variance before taking the root. */
  readonly epsilon: number;
  /** Normalise only these rows and store them compactly. Default: all rows. */
  readonly list?: RowList | undefined;
}

/** Records a normalisation. */
export type NormOperation = (
  context: ForwardContext,
  x: Value | Storage,
  vectors: NormVectors,
  options: NormOptions,
) => Value;
