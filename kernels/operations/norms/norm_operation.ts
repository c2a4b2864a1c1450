/**
 * What every normalisation takes, whatever its formula.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import type { ForwardContext, RowList } from "../context.ts";

/** What a normalised row is multiplied by and moved by: vectors of f32, those that there are. */
export interface NormVectors {
  /** Multiplies. */
  readonly gain?: DeviceTensor | undefined;
  /** Is added. */
  readonly bias?: DeviceTensor | undefined;
}

/** How rows are normalised. */
export interface NormOptions {
  /** Elements of a row. */
  readonly width: number;
  /** Added to the variance before the root. */
  readonly epsilon: number;
  /** Only these rows, one behind the other. Default: all. */
  readonly list?: RowList | undefined;
}

/** Records a normalisation. */
export type NormOperation = (
  context: ForwardContext,
  x: Value | Storage,
  vectors: NormVectors,
  options: NormOptions,
) => Value;
