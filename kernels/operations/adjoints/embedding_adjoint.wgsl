// Slopes of a loss by the offsets of a table whose rows were gathered, added to what is there. One invocation a (row of the batch, span): the
// first row of those with the same offsets takes all of them, so that no two write the same.

#include "moved.wgsl"

struct Params {
  rows: u32,          // M
  columns: u32,       // D
  table_rows: u32,    // rows of this piece
  first_row: u32,
  group_columns: u32,
  groups: u32,
  span: u32,          // columns of an offset; dense: of an invocation
  index: u32,         // where the index of each row starts in the batch
  shift: u32,         // added to it
  tensor: u32,
  traits: u32,
  width: u32,
  row_quads: u32,     // PLANE == minima: quads of rows of this piece
  factor: f32,        // what rows were multiplied by
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
#if !ONE_ROW
@group(0) @binding(2) var<storage, read> batch: array<u32>;
#endif
#if LAYOUT == dense
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;
#else
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
#endif
@group(0) @binding(6) var<storage, read> slopes: array<vec4<f32>>;
#include "decode_{LAYOUT}.wgsl" bindings

#include "decode.wgsl"

#include "weight_change.wgsl"

// The row of the offsets that belong to a row of the table.
fn offset_row_of(row: u32) -> u32 {
#include "decode_{LAYOUT}.wgsl" offset_row
}

#include "gathered_rows.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  let spans = (p.columns + p.span - 1u) / p.span;
  let row = flat / spans;
  let span = flat % spans;
  if (row >= p.rows || !is_here(index_of(row))) { return; }
  let offsets_row = offset_row_of(index_of(row));
  for (var other = 0u; other < row; other++) {
    if (is_here(index_of(other)) && offset_row_of(index_of(other)) == offsets_row) { return; }
  }
  let quads = p.columns / 4u;
  let end = min((span + 1u) * p.span / 4u, quads);
  var total = 0.0;
  for (var quad = span * p.span / 4u; quad < end; quad++) {
#if LAYOUT == column
    // Rows that share offsets differ in their codes.
    for (var other = row; other < p.rows; other++) {
      let index = index_of(other);
      if (!is_here(index) || offset_row_of(index) != offsets_row) { continue; }
      total += p.factor * dot(slopes[other * quads + quad], change4(index - p.first_row, quad));
    }
#else
    let index = index_of(row);
    var sum = vec4<f32>();
    for (var other = row; other < p.rows; other++) {
      if (index_of(other) == index) { sum += slopes[other * quads + quad]; }
    }
    sum *= p.factor;
#if LAYOUT == dense
    gradient[index * quads + quad] += sum * change4(index - p.first_row, quad);
#else
    total += dot(sum, change4(index - p.first_row, quad));
#endif
#endif
  }
#if LAYOUT != dense
  gradient[span * p.width * 4u + offsets_row] += total;
#endif
}
