/**
 * The text of derivative_along.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// The product of the slopes of a loss by a value with a tangent of it, in two stages of fixed order: no two invocations add to the same number, so\n// the bits are the same on every run.\n// First, many workgroups: partial[w] = a part of the sum. Last, one workgroup: result[first] = the sum of all partials.\n\nstruct Params {\n  total: u32, // quads of the value, or partials\n  first: u32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n#if LAST\n@group(0) @binding(1) var<storage, read> partials: array<f32>;\n#else\n@group(0) @binding(1) var<storage, read> slopes: array<vec4<f32>>;\n@group(0) @binding(2) var<storage, read> tangents: array<vec4<f32>>;\n#endif\n@group(0) @binding(3) var<storage, read_write> result: array<f32>;\n\nvar<workgroup> sums: array<f32, 64>;\n\n@compute @workgroup_size(64)\nfn main(\n  @builtin(local_invocation_index) local: u32,\n  @builtin(workgroup_id) group: vec3<u32>,\n  @builtin(num_workgroups) groups: vec3<u32>,\n) {\n  var sum = 0.0;\n#if LAST\n  for (var i = local; i < p.total; i += 64u) { sum += partials[i]; }\n#else\n  for (var i = group.x * 64u + local; i < p.total; i += groups.x * 64u) { sum += dot(slopes[i], tangents[i]); }\n#endif\n  sums[local] = sum;\n  for (var half = 32u; half > 0u; half /= 2u) {\n    workgroupBarrier();\n    if (local < half) { sums[local] += sums[local + half]; }\n  }\n  if (local == 0u) { result[p.first + group.x] = sums[0]; }\n}\n";
export default text;
