/**
 * The text of scatter_columns.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// The slope by a value from that by some of its columns: side by side from `first` on, the others zero (ORDERED: in an order of all of them).\n\nstruct Params {\n  total: u32,   // elements of y\n  columns: u32, // of a row of y\n  first: u32,\n  count: u32,   // columns of a row of x\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<f32>;\n#if ORDERED\n@group(0) @binding(2) var<storage, read> order: array<u32>;\n#endif\n@group(0) @binding(3) var<storage, read_write> y: array<f32>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let row = flat / p.columns;\n  let column = flat % p.columns;\n#if ORDERED\n  y[row * p.columns + order[column]] = x[flat];\n#else\n  if (column >= p.first && column - p.first < p.count) {\n    y[flat] = x[row * p.count + column - p.first];\n  } else {\n    y[flat] = 0.0;\n  }\n#endif\n}\n";
export default text;
