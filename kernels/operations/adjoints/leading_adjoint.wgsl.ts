/**
 * The text of leading_adjoint.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// gradient[r, :] += sum of slopes by the rows that stand for vector r (* base[r, :]): rows of its virtual token, or with PLACED the one at\n// `first` + r. One invocation a quad.\n\nstruct Params {\n  rows: u32,   // of the batch\n  quads: u32,  // of a row\n  count: u32,  // vectors\n  first: u32,  // the first virtual token; PLACED: the first vector's row\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> slopes: array<vec4<f32>>;\n#if !PLACED\n@group(0) @binding(2) var<storage, read> batch: array<u32>;\n#endif\n@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;\n#if RELATIVE\n@group(0) @binding(4) var<storage, read> base: array<vec4<f32>>;\n#endif\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.count * p.quads) { return; }\n#if PLACED\n  var sum = slopes[p.first * p.quads + flat];\n#else\n  let wanted = p.first + flat / p.quads;\n  let quad = flat % p.quads;\n  var sum = vec4<f32>();\n  for (var m = 0u; m < p.rows; m++) {\n    if (batch[m] == wanted) { sum += slopes[m * p.quads + quad]; }\n  }\n#endif\n#if RELATIVE\n  sum *= base[flat];\n#endif\n  gradient[flat] += sum;\n}\n";
export default text;
