/**
 * The text of cap_tangent.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// x becomes cap * tanh(x / cap) in the first branch, and x' becomes (1 - tanh(x / cap)^2) x' in the others, in place.\n\nstruct Params {\n  total: u32, // of one branch\n  branches: u32,\n  cap: f32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(3) var<storage, read_write> x: array<f32>;\n\n#include \"soft_cap.wgsl\"\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let y = soft_cap(x[flat], p.cap);\n  let slope = 1.0 - (y / p.cap) * (y / p.cap);\n  x[flat] = y;\n  for (var b = 1u; b < p.branches; b++) { x[b * p.total + flat] *= slope; }\n}\n";
export default text;
