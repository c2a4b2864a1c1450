/**
 * The text of virtual_tokens.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Rows of tokens that no table has: y[b, m, :] = vectors[b, token[m] - first, :], or vectors[token[m] - first, :] for all branches.\n// Other rows stay as they are.\n\nstruct Params {\n  rows: u32,      // M\n  quads: u32,     // of a row\n  total: u32,     // quads in all: B * M * quads\n  first: u32,     // the first such token\n  count: u32,     // how many there are\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> vectors: array<vec4<f32>>;\n@group(0) @binding(2) var<storage, read> batch: array<u32>;\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let row = flat / p.quads;\n  let token = batch[row % p.rows];\n  if (token < p.first || token - p.first >= p.count) { return; }\n#if BY_BRANCH\n  let vector = (row / p.rows) * p.count + token - p.first;\n#else\n  let vector = token - p.first;\n#endif\n  y[flat] = vectors[vector * p.quads + flat % p.quads];\n}\n";
export default text;
