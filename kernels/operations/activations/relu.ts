/**
 * The rectified linear unit.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import { type Operation, recordOperation } from "../../device/operation.ts";
import type { ForwardContext } from "../context.ts";
import { elementwise } from "../elementwise.ts";
import { activationAdjoint } from "../adjoints/adjoints.ts";
import { activationTangent } from "../tangents/activation_tangent.ts";
import source from "./relu.wgsl.ts";

/** Inputs: x, then the factor of a gate if there is one. Result: `max(x, 0)`, times the factor. */
export const reluOperation: Operation<null> = {
  ...elementwise("relu", "relu", source, (inputs) => ({ TIMES: inputs.length > 1 })),
  tangent: (graph, inputs) => activationTangent(graph, inputs, "relu"),
  adjoint: (graph, inputs, _output, slope) => activationAdjoint(graph, inputs, slope, "relu"),
};

/** `max(x, 0)`, multiplied by `times` if it is given. NaN is preserved. */
export function relu({ graph }: Pick<ForwardContext, "graph">, x: Value, times?: Value): Value {
  return recordOperation(graph, reluOperation, times ? [x, times] : [x], null);
}
