/**
 * The table of functions of single elements between two matrix products: a new one is a file that records it and a line here.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import type { ForwardContext } from "../context.ts";
import { relu } from "./relu.ts";
import { siluGate } from "./silu_gate.ts";

/** Functions by name. */
export type ActivationKind = "silu" | "relu";

/** Records a function of every element of `x`, times the element of `times` if that is given. */
export type ActivationOperation = (context: ForwardContext, x: Value, times?: Value) => Value;

const ACTIVATIONS: Readonly<Record<ActivationKind, ActivationOperation>> = {
  silu: (context, x, times) => {
    if (!times) throw new TypeError("Cannot record a SiLU: only the gate of a product is known");
    return siluGate(context, x, times);
  },
  relu,
};

/** The operation of a kind. */
export function activationOf(kind: ActivationKind): ActivationOperation {
  return ACTIVATIONS[kind];
}
