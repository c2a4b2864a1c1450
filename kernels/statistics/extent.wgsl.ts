/**
 * The text of extent.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// stats[slot] = (largest |x|, mean |x|) over the first `quads` quads: one workgroup.\n\nstruct Params {\n  quads: u32,\n  slot: u32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(3) var<storage, read_write> stats: array<vec2<f32>>;\n\nvar<workgroup> partial: array<vec2<f32>, 64>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(local_invocation_index) t: u32) {\n  var largest = vec4<f32>();\n  var sum = 0.0;\n  // Partial sums of 64 quads, so that long ones lose little.\n  for (var start = t; start < p.quads; start += 4096u) {\n    var part = vec4<f32>();\n    for (var i = start; i < min(start + 4096u, p.quads); i += 64u) {\n      let size = abs(x[i]);\n      largest = max(largest, size);\n      part += size;\n    }\n    sum += dot(part, vec4<f32>(1.0));\n  }\n  partial[t] = vec2<f32>(max(max(largest.x, largest.y), max(largest.z, largest.w)), sum);\n  workgroupBarrier();\n  if (t != 0u) { return; }\n  var all = vec2<f32>();\n  for (var i = 0u; i < 64u; i++) {\n    all = vec2<f32>(max(all.x, partial[i].x), all.y + partial[i].y);\n  }\n  stats[p.slot] = vec2<f32>(all.x, all.y / f32(p.quads * 4u));\n}\n";
export default text;
