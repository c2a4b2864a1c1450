/**
 * The text of codebook_sum.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// gradient[i] += the sums of all slices (* base[i]): the slopes of a loss by the offsets of codebooks. One invocation a quad.\n\nstruct Params {\n  quads: u32,\n  slices: u32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> sums: array<vec4<f32>>;\n@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;\n#if RELATIVE\n@group(0) @binding(4) var<storage, read> base: array<vec2<u32>>;\n#endif\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let quad = id.y * (wg.x * 64u) + id.x;\n  if (quad >= p.quads) { return; }\n  var sum = vec4<f32>();\n  for (var slice = 0u; slice < p.slices; slice++) { sum += sums[slice * p.quads + quad]; }\n#if RELATIVE\n  let entry = base[quad];\n  sum *= vec4<f32>(unpack2x16float(entry.x), unpack2x16float(entry.y));\n#endif\n  gradient[quad] += sum;\n}\n";
export default text;
