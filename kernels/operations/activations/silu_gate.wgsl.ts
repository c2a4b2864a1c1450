/**
 * The text of silu_gate.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y = silu(gate) * up\n\nstruct Params {\n  total: u32, // quads\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> gate: array<vec4<f32>>;\n@group(0) @binding(2) var<storage, read> up: array<vec4<f32>>;\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let g = gate[flat];\n  y[flat] = g / (1.0 + exp(-g)) * up[flat];\n}\n";
export default text;
