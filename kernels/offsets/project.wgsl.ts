/**
 * The text of project.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// After a step in the absolute form, no offset may flip the sign of its scale: the paper's max(scale, 0), for formats whose\n// scales may be negative too. One invocation an offset; span = group.\n\nstruct Params {\n  rows: u32,\n  groups: u32,\n  stride: u32,\n  first_row: u32,\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> scales: array<u32>;\n@group(0) @binding(3) var<storage, read_write> offsets: array<f32>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.rows * p.groups) { return; }\n  let row = flat % p.rows;\n  let group = flat / p.rows;\n  let index = row * p.groups + group;\n#if PAIRED\n  let base = unpack2x16float(scales[index]).x;\n#else\n  let base = unpack2x16float(scales[index >> 1u] >> ((index & 1u) * 16u)).x;\n#endif\n  let at = group * p.stride + p.first_row + row;\n  let w = offsets[at];\n  // Comparisons, as on the host: min and max may pick either zero. The limit is positive zero where the base is zero.\n  let limit = select(-base, 0.0, base == 0.0);\n  let beyond = (base < 0.0 && w > limit) || (base >= 0.0 && w < limit);\n  if (beyond) { offsets[at] = limit; }\n}\n";
export default text;
