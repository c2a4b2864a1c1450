/**
 * The text of gelu.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y = x * Phi(x) (* times), Phi the normal distribution, or with TANH its usual approximation\n\nstruct Params {\n  total: u32, // quads\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n#if TIMES\n@group(0) @binding(2) var<storage, read> times: array<vec4<f32>>;\n#endif\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n\n#if TANH\n// (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)): right at both ends, where adapters' tanh is not.\nfn gelu(v: vec4<f32>) -> vec4<f32> {\n  let u = 0.7978845608028654 * (v + 0.044715 * v * v * v);\n  return v / (1.0 + exp(-2.0 * u));\n}\n#else\n// Phi(-|v|) by Abramowitz and Stegun 7.1.26 (within 1e-7), so that small tails keep their digits.\nfn gelu(v: vec4<f32>) -> vec4<f32> {\n  let z = abs(v) * 0.7071067811865476;\n  let t = 1.0 / (1.0 + 0.3275911 * z);\n  let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));\n  let tail = 0.5 * v * poly * exp(-z * z);\n  return select(tail, v - tail, v > vec4(0.0));\n}\n#endif\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n#if TIMES\n  y[flat] = gelu(x[flat]) * times[flat];\n#else\n  y[flat] = gelu(x[flat]);\n#endif\n}\n";
export default text;
