/**
 * The text of activation_tangent.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y = f(x) (* t) of the first branch and its tangents, f'(x) x' (* t) (+ f(x) t'). One invocation a quad of all branches.\n\nstruct Params {\n  total: u32, // quads of one branch\n  branches: u32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n#if TIMES\n@group(0) @binding(2) var<storage, read> times: array<vec4<f32>>;\n#endif\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n\n#include \"activation_slopes.wgsl\"\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let f = activation(x[flat]);\n#if TIMES\n  let t = times[flat];\n  y[flat] = f.value * t;\n#else\n  y[flat] = f.value;\n#endif\n  for (var b = 1u; b < p.branches; b++) {\n    let at = b * p.total + flat;\n#if TIMES\n    y[at] = f.slope * x[at] * t + f.value * times[at];\n#else\n    y[at] = f.slope * x[at];\n#endif\n  }\n}\n";
export default text;
