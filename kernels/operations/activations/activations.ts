/**
 * The table of functions of single elements between two matrix products: a new one is a file that records it and a line here.
 *
 * @module
 */

import type { ActivationOperation } from "./activation_operation.ts";
import { gelu, geluTanh } from "./gelu.ts";
import { relu } from "./relu.ts";
import { siluGate } from "./silu_gate.ts";

/** Functions by name. */
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
