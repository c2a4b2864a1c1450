/**
 * The text of gradient_norm.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// The norm of a gradient, in two stages of fixed order: no two invocations add to the same number, so the bits are the same on every run.\n// First, many workgroups to an arena: partial[first + w] = a part of its sum of squares. Last, one workgroup:\n// result[first] = sqrt(sum of all partials).\n\nstruct Params {\n  total: u32, // quads of the arena, or partials\n  first: u32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n#if LAST\n@group(0) @binding(1) var<storage, read> partials: array<f32>;\n#else\n@group(0) @binding(1) var<storage, read> gradient: array<vec4<f32>>;\n#endif\n@group(0) @binding(3) var<storage, read_write> result: array<f32>;\n\nvar<workgroup> sums: array<f32, 64>;\n\n@compute @workgroup_size(64)\nfn main(\n  @builtin(local_invocation_index) local: u32,\n  @builtin(workgroup_id) group: vec3<u32>,\n  @builtin(num_workgroups) groups: vec3<u32>,\n) {\n  var sum = 0.0;\n#if LAST\n  for (var i = local; i < p.total; i += 64u) { sum += partials[i]; }\n#else\n  for (var i = group.x * 64u + local; i < p.total; i += groups.x * 64u) {\n    let quad = gradient[i];\n    sum += dot(quad, quad);\n  }\n#endif\n  sums[local] = sum;\n  for (var half = 32u; half > 0u; half /= 2u) {\n    workgroupBarrier();\n    if (local < half) { sums[local] += sums[local + half]; }\n  }\n  if (local == 0u) {\n#if LAST\n    result[p.first] = sqrt(sums[0]);\n#else\n    result[p.first + group.x] = sums[0];\n#endif\n  }\n}\n";
export default text;
