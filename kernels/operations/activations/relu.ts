/**
 * The rectified linear unit.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import { type Operation, recordOperation } from "../../device/operation.ts";
import type { ForwardContext } from "../context.ts";
import source from "./relu.wgsl.ts";

/** x, and a gate if there is one, to `max(x, 0)`, times the gate. */
export const reluOperation: Operation<null> = {
  name: "relu",
  record(graph, [x, times]) {
    const { words } = x as Value;
    const y = graph.value("relu", words);
    const total = words / 4;
    graph.add({
      label: "relu",
      source,
      key: { TIMES: times !== undefined },
      reads: { 1: x, 2: times },
      writes: { 3: y },
      parameters: [total],
      workgroups: Math.ceil(total / 64),
    });
    return y;
  },
};

/** `max(x, 0)`, times `times` if that is given; what is not a number stays so. */
export function relu({ graph }: Pick<ForwardContext, "graph">, x: Value, times?: Value): Value {
  return recordOperation(graph, reluOperation, times ? [x, times] : [x], null);
}
