/**
 * The text of pick_columns.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[r, :] = x[r, first : first + width]\n\nstruct Params {\n  total: u32,   // quads of y\n  quads: u32,   // of a row of y\n  wide: u32,      // quads of a row of x\n  first: u32,   // quad of x's row\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  y[flat] = x[flat / p.quads * p.wide + p.first + flat % p.quads];\n}\n";
export default text;
