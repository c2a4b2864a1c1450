/**
 * The text of group_sums.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[m, g] = the sum of x[m, :] over the columns of group g. One invocation an element.\n\nstruct Params {\n  total: u32,  // M * G\n  groups: u32,\n  quads: u32,  // of a group\n  row: u32,    // quads of a row\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(3) var<storage, read_write> y: array<f32>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let group = flat % p.groups;\n  let first = group * p.quads;\n  let end = min(first + p.quads, p.row);\n  var sum = vec4<f32>();\n  for (var i = first; i < end; i++) { sum += x[flat / p.groups * p.row + i]; }\n  y[flat] = sum.x + sum.y + sum.z + sum.w;\n}\n";
export default text;
