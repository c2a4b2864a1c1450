/**
 * The SiLU gate.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import { type Operation, recordOperation } from "../../device/operation.ts";
import type { ForwardContext } from "../context.ts";
import { elementwise } from "../elementwise.ts";
import { activationAdjoint } from "../adjoints/adjoints.ts";
import { activationTangent } from "../tangents/activation_tangent.ts";
import source from "./silu_gate.wgsl.ts";

/** Inputs: gate, up. Result: `silu(gate) * up`. */
export const siluGateOperation: Operation<null> = {
  ...elementwise("silu gate", "gated", source),
  tangent: (graph, inputs) => activationTangent(graph, inputs, "silu"),
  adjoint: (graph, inputs, _output, slope) => activationAdjoint(graph, inputs, slope, "silu"),
};

/**
 * Records `silu(gate) * up` (Shazeer, arXiv 2002.05202).
 *
 * @example The gate of a feed-forward layer
 * ```ts
 * import { Graph, siluGate } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const graph = new Graph();
 * const [gate, up] = [graph.value("gate", 2 * 256), graph.value("up", 2 * 256)];
 * assertEquals(siluGate({ graph }, gate, up).words, 2 * 256);
 * ```
 */
export function siluGate(
  { graph }: Pick<ForwardContext, "graph">,
  gate: Value,
  up: Value,
): Value {
  return recordOperation(graph, siluGateOperation, [gate, up], null);
}
