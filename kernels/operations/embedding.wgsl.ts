/**
 * The text of embedding.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// y[b, m, :] = E_b[token[m], :], from a packed or dense table; one invocation a quad.

#include "moved.wgsl"

struct Params {
  rows: u32,          // M
  columns: u32,       // D
  table_rows: u32,    // rows of this piece
  first_row: u32,
  group_columns: u32,
  groups: u32,
  span: u32,
  tensor: u32,
  traits: u32,
  width: u32,
  branches: u32,
  row_quads: u32,     // PLANE == minima: quads of rows of this piece
#if POSITIONS
  positions: u32,     // where positions start in the batch
  shift: u32,         // added to them
#endif
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

#include "decode.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  let quads = p.columns / 4u;
  let quad = flat % quads;
  let row = flat / quads;
  if (row >= p.rows * p.branches) { return; }
#if POSITIONS
  // Rows by position, not by token.
  let token = batch[p.positions + row % p.rows] + p.shift;
#else
  let token = batch[row % p.rows];
#endif
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
  value = combine4(value, offset4(b, token * quads + quad));
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
  let offset = offset4(b, ((quad * 4u) / p.span) * p.width + offset_row / 4u)[offset_row % 4u];
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
