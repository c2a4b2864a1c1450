/**
 * Element-wise functions with their tangents.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import type { Operand } from "../../device/operation.ts";
import source from "./activation_tangent.wgsl.ts";

/** The functions in activation_slopes.wgsl. */
export type SlopeKind = "silu" | "relu" | "gelu" | "gelu_tanh";

/** Records a function of every element of x, multiplied by the other input if there is one, with its tangents. */
export function activationTangent(
  graph: Graph,
  [x, times]: readonly Operand[],
  kind: SlopeKind,
): Value {
  const { words } = x as Value;
  const branches = graph.tangents + 1;
  const y = graph.value(kind, words);
  const total = words / 4 / branches;
  graph.add({
    label: `${kind} tangent`,
    source,
    key: { KIND: kind, TIMES: times !== undefined },
    reads: { 1: x, 2: times },
    writes: { 3: y },
    parameters: [total, branches],
    workgroups: Math.ceil(total / 64),
  });
  return y;
}
