/**
 * The table of normalisations: a new one is a file that records it and a line here.
 *
 * @module
 */

import type { Storage } from "../../device/storage.ts";
import type { Value } from "../../device/graph.ts";
import type { ForwardContext, RowList } from "../context.ts";
import { rmsNorm } from "./rms_norm.ts";
import type { DeviceTensor } from "../../device/tensor.ts";

/** Formulas by which rows are normalised. */
export type NormKind = "rms";

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

const NORMS: Readonly<Record<NormKind, NormOperation>> = {
  rms: (context, x, { gain, bias }, { epsilon, list }) => {
    if (!gain || bias) throw new TypeError("Cannot record an RMS norm: it has a gain and no bias");
    return rmsNorm(context, x, gain, epsilon, list);
  },
};

/** The operation of a kind. */
export function normOf(kind: NormKind): NormOperation {
  return NORMS[kind];
}
