/**
 * Magnitudes of the values in a forward pass.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import source from "./extent.wgsl.ts";

/**
 * Records `stats[slot] = (largest |x|, mean |x|)` over the first `count` values of `x`, a multiple of 4.
 *
 * @example The output of one layer
 * ```ts
 * import { extent, Graph, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const graph = new Graph();
 * const stats = new Storage("extents", 16, "scratch");
 * extent(graph, graph.value("block 1", 256), 256, stats, 1);
 * assertEquals(graph.dispatches[0].label, "extent of block 1");
 * ```
 */
export function extent(graph: Graph, x: Value, count: number, stats: Storage, slot: number): void {
  graph.add({
    label: `extent of ${x.label}`,
    source,
    key: {},
    reads: { 1: x },
    writes: { 3: stats },
    parameters: [count / 4, slot],
    workgroups: 1,
  });
}
