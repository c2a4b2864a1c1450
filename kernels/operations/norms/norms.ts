/**
 * The table of normalisations. To add one, write a file that records it and add a line here.
 *
 * @module
 */

import { layerNorm } from "./layer_norm.ts";
import type { NormOperation } from "./norm_operation.ts";
import { rmsNorm } from "./rms_norm.ts";

/** Names of the normalisations. */
export type NormKind = "rms" | "layer";

const NORMS: Readonly<Record<NormKind, NormOperation>> = {
  rms: (context, x, { gain, bias }, { epsilon, list }) => {
    if (!gain || bias) throw new TypeError("Cannot record an RMS norm: it has a gain but no bias");
    return rmsNorm(context, x, gain, epsilon, list);
  },
  layer: layerNorm,
};

/** The operation of a kind. */
export function normOf(kind: NormKind): NormOperation {
  return NORMS[kind];
}
