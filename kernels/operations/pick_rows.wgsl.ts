/**
 * The text of pick_rows.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[b, i, :] = x[b, list[i], :]\n\nstruct Params {\n  total: u32,   // quads of y\n  quads: u32,   // of a row\n  count: u32,   // rows of one branch of y\n  rows: u32,    // rows of one branch of x\n  list: u32,    // where the row list starts in the batch\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(2) var<storage, read> batch: array<u32>;\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let row = flat / p.quads;\n  let source = (row / p.count) * p.rows + batch[p.list + row % p.count];\n  y[flat] = x[source * p.quads + flat % p.quads];\n}\n";
export default text;
