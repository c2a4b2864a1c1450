/**
 * The sum of two values.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import source from "./add.wgsl.ts";

/** a and b to `a + b`. */
export const addOperation: Operation<null> = {
  name: "add",
  record(graph, [a, b]) {
    const { words } = b as Value;
    const y = graph.value("sum", words);
    const total = words / 4;
    graph.add({
      label: "add",
      source,
      key: {},
      reads: { 1: a, 2: b },
      writes: { 3: y },
      parameters: [total],
      workgroups: Math.ceil(total / 64),
    });
    return y;
  },
};

/** Records `a + b`, element by element, of values with as many elements as `b` has. */
export function add(
  { graph }: { readonly graph: Graph },
  a: Value | Storage,
  b: Value,
): Value {
  return recordOperation(graph, addOperation, [a, b], null);
}
