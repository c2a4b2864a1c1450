/**
 * The text of embedding.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// y[b, m, :] = E_b[token[m], :], from a packed or dense table; one invocation a quad.

#include "noise.wgsl"
#include "combine.wgsl"

struct Params {
  rows: u32,          // M
  columns: u32,       // D
  table_rows: u32,    // rows of this piece
  first_row: u32,
  group_columns: u32,
  groups: u32,
  span: u32,
  stride: u32,
  tensor: u32,
  told: u32,
  branches: u32,
  row_quads: u32,     // PLANE == minima: quads of rows of this piece
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#if LAYOUT != dense && LAYOUT != column
@group(0) @binding(4) var<storage, read> scales: array<u32>;
#endif
#if PLANE == minima
@group(0) @binding(5) var<storage, read> minima: array<vec4<f32>>;
#elif PLANE == codebook
@group(0) @binding(5) var<storage, read> codebook: array<vec4<f32>>;
#elif LAYOUT == column
@group(0) @binding(5) var<storage, read> codebook: array<vec4<u32>>;
#elif GRID != none
@group(0) @binding(5) var<storage, read> codebook: array<u32>;
#elif LAYOUT == codebook
@group(0) @binding(5) var<storage, read> codebook: array<vec2<u32>>;
#endif
#if FORM != none
@group(0) @binding(8) var<storage, read> offsets: array<vec4<f32>>;
#if NOISE
@group(0) @binding(9) var<storage, read> branches: array<Branch>;
#endif
#endif

#include "decode.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  let quads = p.columns / 4u;
  let quad = flat % quads;
  let row = flat / quads;
  if (row >= p.rows * p.branches) { return; }
  let token = batch[row % p.rows];
  // Tables split over bindings: each piece writes the rows it holds.
  if (token < p.first_row || token - p.first_row >= p.table_rows) { return; }
  let n = token - p.first_row;
#if LAYOUT == super
  let group = quad / 8u;
  let groups = quads / 8u;
#else
  let group = (quad * 4u) / p.group_columns;
  let groups = p.groups;
#endif
  let b = row / p.rows;
  let stored = scale_of(n, group, groups);
#if LAYOUT == dense
  var value = codes4(n, quad, p.columns, group, groups, b);
#if FORM != none
  let e = token * quads + quad;
  var offset = offsets[e];
#if NOISE
  let branch = branches[b];
  offset += branch.amplitude * free4(offset, noise4(branch.seed, p.tensor, p.told, e, quads));
#endif
  value = combine4(value, offset);
#endif
#else
  var scale = stored.factor;
  var shift = stored.shift;
#if FORM != none
#if LAYOUT == column
  let offset_row = token % groups;
#else
  let offset_row = token;
#endif
  let index = ((quad * 4u) / p.span) * p.stride + offset_row;
  let held = offsets[index >> 2u];
  var offset = held[index & 3u];
#if NOISE
  let branch = branches[b];
  offset += branch.amplitude * free4(held, noise4(branch.seed, p.tensor, p.told, index >> 2u, p.stride / 4u))[index & 3u];
#endif
  scale = combine(scale, offset);
#if MINIMA_MOVE
  shift = combine(shift, offset);
#endif
#endif
#if PLANE == minima
  shift = shift_of(scale, minimum_of(n, group, groups, b));
#endif
  let value = codes4(n, quad, p.columns, group, groups, b) * scale + shift;
#endif
  y[flat] = value;
}
`;
export default text;
