/**
 * The arithmetic of update rules on the device, alone.
 *
 * @module
 */
import { compileGraph, type Gpu, Graph, SHADER_LIBRARY, Storage } from "../../../kernels/mod.ts";
import { elementOpsWgsl } from "../../../optim/algebra/element_ops.ts";

/** `body` has `a` and `b` and ends in `return` of a vec4. */
export async function onDevice(
  gpu: Gpu,
  body: string,
  pairs: readonly (readonly [number, number])[],
): Promise<Float32Array> {
  const source = `
struct Params { count: u32, zero: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> pairs: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> found: array<vec4<f32>>;
${elementOpsWgsl("p.zero")}
fn of_pair(a: f32, b: f32) -> vec4<f32> { ${body} }
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < p.count) { found[id.x] = of_pair(pairs[id.x].x, pairs[id.x].y); }
}`;
  using input = new Storage("pairs", pairs.length * 8, "scratch").allocate(gpu);
  gpu.device.queue.writeBuffer(input.buffer.buffer, 0, new Float32Array(pairs.flat()));
  const graph = new Graph();
  const found = graph.value("found", pairs.length * 4);
  graph.add({
    label: "element operations",
    source,
    key: {},
    reads: { 1: input },
    writes: { 2: found },
    parameters: [pairs.length, 0],
    workgroups: Math.ceil(pairs.length / 64),
  });
  using plan = compileGraph(gpu, graph, SHADER_LIBRARY, [found]);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  plan.encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  const values = await gpu.readFloats(plan.buffer(found), found.words);
  gpu.pipelines.check();
  return values;
}
