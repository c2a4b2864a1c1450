/**
 * Tests the subgroups of a device that granted them. No kernel depends on subgroups yet, and only this shader uses
 * them.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import { Graph } from "./graph.ts";
import { compileGraph } from "./plan.ts";

// Browsers require the directive, and Deno's compiler rejects it (gfx-rs/wgpu#5555).
const ENABLE = typeof Deno === "undefined" ? "enable subgroups;\n" : "";
const SOURCE = `${ENABLE}@group(0) @binding(0) var<uniform> one: u32;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) i: u32) {
  sums[i] = subgroupAdd(one);
}`;

/**
 * The numbers of lanes that were added up together, without duplicates. Empty if the device was granted no subgroups.
 *
 * @example How many lanes this device adds up together
 * ```ts
 * import { openGpu, subgroupSizes } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * const sizes = await subgroupSizes(gpu);
 * assertEquals(sizes.length > 0, gpu.subgroups !== undefined);
 * ```
 */
export async function subgroupSizes(gpu: Gpu): Promise<number[]> {
  if (gpu.subgroups === undefined) return [];
  const graph = new Graph();
  const sums = graph.value("subgroup sums", 128);
  graph.add({
    label: "subgroups",
    source: SOURCE,
    key: {},
    reads: {},
    writes: { 1: sums },
    parameters: [1],
    workgroups: 1,
  });
  using plan = compileGraph(gpu, graph, {}, [sums]);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  plan.encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  const [bytes] = await gpu.read([{ buffer: plan.buffer(sums), bytes: 512 }]);
  gpu.pipelines.check();
  return [...new Set(new Uint32Array(bytes))].sort((a, b) => a - b);
}
