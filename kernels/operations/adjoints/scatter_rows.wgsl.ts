/**
 * The text of scatter_rows.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[m, :] = the sum of x[i, :] over the places i of a list that name row m. One invocation a quad: no two write the same. `named` are the first of\n// those places, and the one behind the last.\n\nstruct Params {\n  total: u32,   // quads of y\n  quads: u32,   // of a row\n  list: u32,    // where the list starts in the batch\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(2) var<storage, read> batch: array<u32>;\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n@group(0) @binding(4) var<storage, read> named: array<vec2<u32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let row = flat / p.quads;\n  let places = named[row];\n  var sum = vec4<f32>();\n  for (var i = places.x; i < places.y; i++) {\n    if (batch[p.list + i] == row) { sum += x[i * p.quads + flat % p.quads]; }\n  }\n  y[flat] = sum;\n}\n";
export default text;
