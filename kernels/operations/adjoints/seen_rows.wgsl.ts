/**
 * The text of seen_rows.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Of every key the first row that sees it and the one behind the last, so that key_adjoint.wgsl visits those alone. One invocation a key.\n\n#include \"attention_parts.wgsl\" params\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(3) var<storage, read_write> y: array<vec2<u32>>;\n@group(0) @binding(5) var<storage, read> batch: array<u32>;\n\n#include \"attention_parts.wgsl\" sees\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let wanted = id.y * (wg.x * 64u) + id.x;\n  if (wanted >= p.total) { return; }\n  var first = p.rows;\n  var end = 0u;\n  for (var m = 0u; m < p.rows; m++) {\n    if (sees(m, wanted)) {\n      first = min(first, m);\n      end = m + 1u;\n    }\n  }\n  y[wanted] = vec2<u32>(first, end);\n}\n";
export default text;
