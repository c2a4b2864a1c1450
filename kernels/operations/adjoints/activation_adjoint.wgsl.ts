/**
 * The text of activation_adjoint.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// x' = f'(x) y' (* t), and with TIMES t' = f(x) y'. One invocation a quad.\n\nstruct Params {\n  total: u32, // quads\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n#if TIMES\n@group(0) @binding(2) var<storage, read> times: array<vec4<f32>>;\n@group(0) @binding(4) var<storage, read_write> times_slopes: array<vec4<f32>>;\n#endif\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n@group(0) @binding(5) var<storage, read> slopes: array<vec4<f32>>;\n\n#include \"activation_slopes.wgsl\"\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let f = activation(x[flat]);\n#if TIMES\n  y[flat] = f.slope * slopes[flat] * times[flat];\n  times_slopes[flat] = f.value * slopes[flat];\n#else\n  y[flat] = f.slope * slopes[flat];\n#endif\n}\n";
export default text;
