/**
 * The table of element-wise functions between two matrix products. To add one, write a file that records it and add a
 * line here.
 *
 * @module
 */

import type { ActivationOperation } from "./activation_operation.ts";
import { gelu, geluTanh } from "./gelu.ts";
import { relu } from "./relu.ts";
import { siluGate } from "./silu_gate.ts";

/** Names of the functions. */
export type ActivationKind = "silu" | "relu" | "gelu" | "gelu-tanh";

const ACTIVATIONS: Readonly<Record<ActivationKind, ActivationOperation>> = {
  silu: (context, x, times) => {
    if (!times) {
      throw new TypeError("Cannot record a SiLU: it is supported only as the gate of a product");
    }
    return siluGate(context, x, times);
  },
  relu,
  gelu,
  "gelu-tanh": geluTanh,
};

/** The operation of a kind. */
export function activationOf(kind: ActivationKind): ActivationOperation {
  return ACTIVATIONS[kind];
}
