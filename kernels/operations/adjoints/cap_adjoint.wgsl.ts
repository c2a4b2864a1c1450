/**
 * The text of cap_adjoint.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// x' = (1 - (y / cap)^2) y', of y = cap * tanh(x / cap); without CAPPED x' = factor * y'.\n\nstruct Params {\n  total: u32,\n  cap: f32, // or the factor\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n#if CAPPED\n@group(0) @binding(1) var<storage, read> value: array<f32>;\n#endif\n@group(0) @binding(3) var<storage, read_write> y: array<f32>;\n@group(0) @binding(5) var<storage, read> slopes: array<f32>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n#if CAPPED\n  let t = value[flat] / p.cap;\n  y[flat] = (1.0 - t * t) * slopes[flat];\n#else\n  y[flat] = p.cap * slopes[flat];\n#endif\n}\n";
export default text;
