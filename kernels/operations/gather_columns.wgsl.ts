/**
 * The text of gather_columns.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[row][j] = x[row][order[j]]\n\nstruct Params {\n  total: u32, // quads\n  quads: u32, // of a row\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<f32>;\n@group(0) @binding(2) var<storage, read> order: array<vec4<u32>>;\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let quad = flat % p.quads;\n  let row = (flat - quad) * 4u;\n  let o = order[quad];\n  y[flat] = vec4(x[row + o.x], x[row + o.y], x[row + o.z], x[row + o.w]);\n}\n";
export default text;
