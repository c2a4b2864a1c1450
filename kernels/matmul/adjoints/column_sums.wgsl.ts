/**
 * The text of column_sums.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// gradient[n] += sum_m y'[m, n] (* base[n]): slopes by a vector that is added to every row. One invocation an element.\n\nstruct Params {\n  rows: u32,\n  columns: u32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n#if RELATIVE\n@group(0) @binding(1) var<storage, read> base: array<f32>;\n#endif\n@group(0) @binding(2) var<storage, read> slopes: array<f32>;\n@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let n = id.y * (wg.x * 64u) + id.x;\n  if (n >= p.columns) { return; }\n  var sum = 0.0;\n  for (var m = 0u; m < p.rows; m++) { sum += slopes[m * p.columns + n]; }\n#if RELATIVE\n  sum *= base[n];\n#endif\n  gradient[n] += sum;\n}\n";
export default text;
