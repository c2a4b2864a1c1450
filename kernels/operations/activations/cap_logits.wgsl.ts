/**
 * The text of cap_logits.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// x becomes cap * tanh(x / cap), in place: logits are large.\n\nstruct Params {\n  total: u32,\n  cap: f32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(3) var<storage, read_write> x: array<f32>;\n\n#include \"soft_cap.wgsl\"\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  x[flat] = soft_cap(x[flat], p.cap);\n}\n";
export default text;
