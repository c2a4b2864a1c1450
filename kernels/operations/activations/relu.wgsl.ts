/**
 * The text of relu.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y = max(x, 0) (* times); what is not a number stays so\n\nstruct Params {\n  total: u32, // quads\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n#if TIMES\n@group(0) @binding(2) var<storage, read> times: array<vec4<f32>>;\n#endif\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let v = x[flat];\n  let positive = select(v, vec4(0.0), v < vec4(0.0));\n#if TIMES\n  y[flat] = positive * times[flat];\n#else\n  y[flat] = positive;\n#endif\n}\n";
export default text;
