/**
 * The text of silu_gate.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// y = silu(gate) * up

struct Params {
  total: u32, // quads
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> up: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let g = gate[flat];
  y[flat] = g / (1.0 + exp(-g)) * up[flat];
}
`;
export default text;
