/**
 * The text of scale_columns.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[b, m, n] = x[b, m, n] s_b[n] (+ residual[b, m, n]). One invocation a quad.\n\nstruct Params {\n  total: u32, // quads of all branches\n  quads: u32, // of a row\n  rows: u32,  // of one branch\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> scales: array<vec4<f32>>;\n@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n#if RESIDUAL\n@group(0) @binding(4) var<storage, read> residual: array<vec4<f32>>;\n#endif\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let n = flat % p.quads;\n#if BY_BRANCH\n  let own = scales[flat / (p.rows * p.quads) * p.quads + n];\n#else\n  let own = scales[n];\n#endif\n#if TANGENT\n  // Behind the first branch, changes: of x, and of what multiplies it.\n  let still = flat % (p.rows * p.quads);\n  let scaled = select(x[flat] * scales[n] + x[still] * own, x[flat] * own, still == flat);\n#else\n  let scaled = x[flat] * own;\n#endif\n#if RESIDUAL\n  y[flat] = residual[flat] + scaled;\n#else\n  y[flat] = scaled;\n#endif\n}\n";
export default text;
