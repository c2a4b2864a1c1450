/**
 * The text of scale_columns_adjoint.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// gradient[n] += sum_m y'[m, n] x[m, n] (* base[n]): slopes of a loss by what multiplies the columns of x. One invocation a quad.\n\nstruct Params {\n  rows: u32,\n  quads: u32, // of a row\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n#if RELATIVE\n@group(0) @binding(1) var<storage, read> base: array<vec4<f32>>;\n#endif\n@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;\n@group(0) @binding(5) var<storage, read> slopes: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let n = id.y * (wg.x * 64u) + id.x;\n  if (n >= p.quads) { return; }\n  var sum = vec4<f32>();\n  for (var m = 0u; m < p.rows; m++) { sum += slopes[m * p.quads + n] * x[m * p.quads + n]; }\n#if RELATIVE\n  sum *= base[n];\n#endif\n  gradient[n] += sum;\n}\n";
export default text;
