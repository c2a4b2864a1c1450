/**
 * The sum of two values.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import source from "./add.wgsl.ts";

/** Records `a + b`, element by element, of values with as many elements as `b` has. */
export function add(
  { graph }: { readonly graph: Graph },
  a: Value | Storage,
  b: Value,
): Value {
  const y = graph.value("sum", b.words);
  const total = b.words / 4;
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
}
