/**
 * Zero tangents, for values that do not change and as the start of a sum.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import source from "./zero_tangents.wgsl.ts";

/** Records zeros into all branches of `y` after the first, which have a multiple of 4 elements each. */
export function zeroTangents(graph: Graph, y: Value): void {
  const first = y.words / (graph.tangents + 1) / 4;
  const total = first * graph.tangents;
  graph.add({
    label: "zero tangents",
    source,
    key: {},
    reads: {},
    writes: { 3: y },
    parameters: [total, first],
    workgroups: Math.ceil(total / 64),
  });
}
