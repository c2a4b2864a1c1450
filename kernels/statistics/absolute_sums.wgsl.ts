/**
 * The text of absolute_sums.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// sums[j] += sum over rows of |x[row, j]|, four columns an invocation.\n\nstruct Params {\n  quads: u32, // of a row\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(2) var<storage, read> used: array<u32>; // rows of x that count\n@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let quad = id.y * (wg.x * 64u) + id.x;\n  if (quad >= p.quads) { return; }\n  var sum = vec4<f32>();\n  for (var row = 0u; row < used[0]; row++) { sum += abs(x[row * p.quads + quad]); }\n  sums[quad] += sum;\n}\n";
export default text;
