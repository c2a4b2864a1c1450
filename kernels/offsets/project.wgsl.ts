/**
 * The text of project.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// After a step in the absolute form, no offset may flip the sign of its scale: the paper's max(scale, 0), for formats whose
// scales may be negative too. One invocation an offset; span = group.

struct Params {
  rows: u32,
  groups: u32,
  stride: u32,
  first_row: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read_write> offsets: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.rows * p.groups) { return; }
  let row = flat % p.rows;
  let group = flat / p.rows;
  let index = row * p.groups + group;
#if PAIRED
  let base = unpack2x16float(scales[index]).x;
#else
  let base = unpack2x16float(scales[index >> 1u] >> ((index & 1u) * 16u)).x;
#endif
  let at = group * p.stride + p.first_row + row;
  let w = offsets[at];
  // Comparisons, as on the host: min and max may pick either zero. The limit is positive zero where the base is zero.
  let limit = select(-base, 0.0, base == 0.0);
  let beyond = (base < 0.0 && w > limit) || (base >= 0.0 && w < limit);
  if (beyond) { offsets[at] = limit; }
}
`;
export default text;
