/**
 * The text of named_rows.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Of every row the first place of a list that names it and the one behind the last, so that scatter_rows.wgsl goes over those alone. One\n// invocation a row.\n\nstruct Params {\n  rows: u32,\n  count: u32,   // of the list\n  list: u32,    // where the list starts in the batch\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(2) var<storage, read> batch: array<u32>;\n@group(0) @binding(3) var<storage, read_write> y: array<vec2<u32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let row = id.y * (wg.x * 64u) + id.x;\n  if (row >= p.rows) { return; }\n  var first = p.count;\n  var end = 0u;\n  for (var i = 0u; i < p.count; i++) {\n    if (batch[p.list + i] == row) {\n      first = min(first, i);\n      end = i + 1u;\n    }\n  }\n  y[row] = vec2<u32>(first, end);\n}\n";
export default text;
