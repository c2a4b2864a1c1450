/**
 * The sum of two values.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import source from "./add.wgsl.ts";
import { elementwise } from "./elementwise.ts";

/** Inputs: a, b. Result: `a + b`. */
export const addOperation: Operation<null> = {
  ...elementwise("add", "sum", source),
  tangent: "linear",
  adjoint: (_graph, _inputs, _output, slope) => [slope, slope],
};

/**
 * Records `a + b`, element by element. Both have as many elements as `b`.
 *
 * @example A residual
 * ```ts
 * import { add, Graph } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const graph = new Graph();
 * const [residual, x] = [graph.value("residual", 64), graph.value("x", 64)];
 * assertEquals(add({ graph }, residual, x).words, 64);
 * ```
 */
export function add(
  { graph }: { readonly graph: Graph },
  a: Value | Storage,
  b: Value,
): Value {
  return recordOperation(graph, addOperation, [a, b], null);
}
