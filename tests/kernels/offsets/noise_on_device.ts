/**
 * The generator of the kernels, alone.
 *
 * @module
 */
import { compileGraph, type Gpu, Graph, SHADER_LIBRARY } from "../../../kernels/mod.ts";
import type { Law, NoisePlace, Seed } from "../../../optim/mod.ts";
import { lawKey, packNoise } from "../../../kernels/offsets/perturbation.ts";

const SOURCE = `#include "noise.wgsl"
struct Params { low: u32, high: u32, tensor: u32, first: u32, quads: u32, width: u32, traits: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> z: array<vec4<f32>>;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < p.quads) { z[id.x] = noise4(vec2<u32>(p.low, p.high), p.tensor, p.traits, p.first + id.x, p.width); }
}`;

/** z of `4 * quads` elements from element `4 * first` on, as they are in its place. */
export async function noiseOnDevice(
  gpu: Gpu,
  law: Law,
  seed: Seed,
  tensor: number,
  first: number,
  quads: number,
  { width = 2 ** 30, share, gain }: NoisePlace = {},
): Promise<Float32Array> {
  const graph = new Graph();
  const z = graph.value("z", quads * 4);
  graph.add({
    label: "noise",
    source: SOURCE,
    key: lawKey(law),
    reads: {},
    writes: { 1: z },
    parameters: [seed[0], seed[1], tensor, first, quads, width / 4, packNoise({ share, gain })],
    workgroups: Math.ceil(quads / 32),
  });
  using plan = compileGraph(gpu, graph, SHADER_LIBRARY, [z]);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  plan.encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  const found = await gpu.readFloats(plan.buffer(z), z.words);
  gpu.pipelines.check();
  return found;
}
