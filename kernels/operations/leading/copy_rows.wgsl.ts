/**
 * The text of copy_rows.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Rows to their place in a longer matrix: to[b, at + m, :] = from[b, m, :], or from[m, :] for all branches.\n\nstruct Params {\n  rows: u32,      // of `rows_of`, of one branch\n  quads: u32,     // of a row\n  total: u32,     // quads in all\n  to_rows: u32,   // of one branch\n  first: u32,     // the first row that is written\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> rows_of: array<vec4<f32>>;\n@group(0) @binding(3) var<storage, read_write> to: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let quad = flat % p.quads;\n  let row = flat / p.quads;\n  let m = row % p.rows;\n#if BY_BRANCH\n  let source = row;\n#else\n  let source = m;\n#endif\n  to[((row / p.rows) * p.to_rows + p.first + m) * p.quads + quad] = rows_of[source * p.quads + quad];\n}\n";
export default text;
