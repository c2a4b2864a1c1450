/**
 * The text of vector_and_zeros.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[b] = x for the first branch, 0 for the others: a vector that does not change, with its tangents.\n\nstruct Params {\n  total: u32,\n  length: u32, // of x\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<f32>;\n@group(0) @binding(3) var<storage, read_write> y: array<f32>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  if (flat < p.length) {\n    y[flat] = x[flat];\n  } else {\n    y[flat] = 0.0;\n  }\n}\n";
export default text;
