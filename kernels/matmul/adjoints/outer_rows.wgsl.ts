/**
 * The text of outer_rows.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[n, k] = sum_m y'[m, first + n] x[m, k]: the slopes of a loss by some rows of a matrix. An invocation takes four rows by sixteen columns.\n\nstruct Params {\n  rows: u32,     // M\n  columns: u32,  // K\n  outputs: u32,  // rows of the matrix that are taken\n  first: u32,    // the first of them\n  total_outputs: u32,\n  first_group: u32, // of a dispatch that is split: its first workgroup\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> slopes: array<f32>;\n@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n\n@compute @workgroup_size(32)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = p.first_group * 32u + id.y * (wg.x * 32u) + id.x;\n  let quads = p.columns / 4u;\n  let tiles = (quads + 3u) / 4u;\n  let quad = flat % tiles * 4u;\n  let n = flat / tiles * 4u;\n  if (n >= p.outputs) { return; }\n#for c 4\n#for i 4\n  var w{c}_{i} = vec4<f32>();\n#endfor\n#endfor\n  for (var m = 0u; m < p.rows; m++) {\n    let at = m * p.total_outputs + p.first;\n#for i 4\n    let x{i} = x[m * quads + min(quad + {i}u, quads - 1u)];\n#endfor\n#for c 4\n    let s{c} = slopes[at + min(n + {c}u, p.outputs - 1u)];\n#for i 4\n    w{c}_{i} += s{c} * x{i};\n#endfor\n#endfor\n  }\n#for c 4\n  if (n + {c}u < p.outputs) {\n#for i 4\n    if (quad + {i}u < quads) { y[(n + {c}u) * quads + quad + {i}u] = w{c}_{i}; }\n#endfor\n  }\n#endfor\n}\n";
export default text;
