// y[b, m, :] = E_b[token[m], :], from a packed or dense table; one invocation a quad.

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
#if ONE_ROW
  one_row: u32,       // of the table, for all rows of the batch
#endif
#if SCALED
  factor: f32,        // what a row is multiplied by
#endif
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#include "decode_{LAYOUT}.wgsl" bindings

#include "decode.wgsl"

// The row of the offsets that belong to a row of the table.
fn offset_row_of(row: u32) -> u32 {
#include "decode_{LAYOUT}.wgsl" offset_row
}

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
#elif ONE_ROW
  let token = p.one_row;
#else
  let token = batch[row % p.rows];
#endif
  // Tables split over bindings: each piece writes the rows it holds.
  if (token < p.first_row || token - p.first_row >= p.table_rows) { return; }
  let n = token - p.first_row;
  let group = (quad * 4u) / p.group_columns;
  let b = row / p.rows;
  let stored = scale_of(n, group, p.groups);
#if LAYOUT == dense
  var value = codes4(n, quad, p.columns, group, p.groups, b);
#if FORM != none
  value = combine4(value, offset4(b, token * quads + quad));
#endif
#else
  var scale = stored.factor;
  var shift = stored.shift;
#if FORM != none
  let at = offset_row_of(token);
  let offset = offset4(b, ((quad * 4u) / p.span) * p.width + at / 4u)[at % 4u];
  scale = combine(scale, offset);
#if MINIMA_MOVE
  shift = combine(shift, offset);
#elif TANGENT
  shift = 0.0;
#endif
#endif
#if PLANE == minima
  shift = shift_of(scale, minimum_of(n, group, p.groups, b));
#endif
#if MOVED_PLANE == minima
  // What moves are the minima alone.
  let value = vec4<f32>(shift);
#else
  let value = codes4(n, quad, p.columns, group, p.groups, b) * scale + shift;
#endif
#endif
#if BEHIND
  // Tangents, behind the first branch's.
#if SCALED
  y[flat + p.rows * quads] += value * p.factor;
#else
  y[flat + p.rows * quads] += value;
#endif
#elif SCALED
  y[flat] = value * p.factor;
#else
  y[flat] = value;
#endif
}
