/**
 * The text of gain_adjoint.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// gradient[k] += sum over rows of y'[row, k] n[row, k] (* base[k]): slopes of a loss by a norm's gain. One invocation a quad.\n\nstruct Params {\n  rows: u32,\n  quads: u32, // of a row\n  list: u32,  // where the row list starts in the batch\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n#if ROW_LIST\n@group(0) @binding(2) var<storage, read> batch: array<u32>;\n#endif\n@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;\n#if RELATIVE\n@group(0) @binding(4) var<storage, read> base: array<vec4<f32>>;\n#endif\n@group(0) @binding(5) var<storage, read> slopes: array<vec4<f32>>;\n@group(0) @binding(6) var<storage, read> stats: array<vec2<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let k = id.y * (wg.x * 64u) + id.x;\n  if (k >= p.quads) { return; }\n  var sum = vec4<f32>();\n  for (var row = 0u; row < p.rows; row++) {\n#if ROW_LIST\n    let source = batch[p.list + row];\n#else\n    let source = row;\n#endif\n    let s = stats[row];\n    sum += slopes[row * p.quads + k] * (x[source * p.quads + k] - s.y) * s.x;\n  }\n#if RELATIVE\n  sum *= base[k];\n#endif\n  gradient[k] += sum;\n}\n";
export default text;
