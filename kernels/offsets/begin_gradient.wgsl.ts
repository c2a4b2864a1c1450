/**
 * The text of begin_gradient.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// A step's gradient begins at zero, or where the step before left it: steps of one move add up. By a selection, so that what is not finite\n// goes.\n\nstruct Params {\n  total: u32, // quads\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> goes_on: array<u32>;\n@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total || goes_on[0] != 0u) { return; }\n  gradient[flat] = vec4<f32>();\n}\n";
export default text;
