/**
 * The text of zero_tangents.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[first ..] = 0\n\nstruct Params {\n  total: u32, // quads to write\n  first: u32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  y[p.first + flat] = vec4<f32>();\n}\n";
export default text;
