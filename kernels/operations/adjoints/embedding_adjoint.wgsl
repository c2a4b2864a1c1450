// Slopes of a loss by the offsets of a table whose rows were gathered, added to what is there. One invocation a (row of the batch, span): the
// first row of those with the same index takes all of them, so that no two write the same.

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

// The row of the offsets that belong to a row of the table.
fn offset_row_of(row: u32) -> u32 {
#include "decode_{LAYOUT}.wgsl" offset_row
}

// The row of the table that a row of the batch has.
fn index_of(row: u32) -> u32 {
#if ONE_ROW
  return p.shift;
#else
  return batch[p.index + row] + p.shift;
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  let spans = (p.columns + p.span - 1u) / p.span;
  let row = flat / spans;
  let span = flat % spans;
  if (row >= p.rows) { return; }
  let index = index_of(row);
  if (index < p.first_row || index - p.first_row >= p.table_rows) { return; }
  for (var other = 0u; other < row; other++) {
    if (index_of(other) == index) { return; }
  }
  let n = index - p.first_row;
  let quads = p.columns / 4u;
  let end = min((span + 1u) * p.span / 4u, quads);
  var total = 0.0;
  for (var quad = span * p.span / 4u; quad < end; quad++) {
    var sum = vec4<f32>();
    for (var other = row; other < p.rows; other++) {
      if (index_of(other) == index) { sum += slopes[other * quads + quad]; }
    }
    sum *= p.factor;
#if LAYOUT == dense
#if FORM == relative
    sum *= codes4(n, quad, p.columns, 0u, 0u, 0u);
#endif
    gradient[index * quads + quad] += sum;
#else
    let group = quad * 4u / p.group_columns;
    let value = codes4(n, quad, p.columns, group, p.groups, 0u);
#if FORM == relative
    let scale = scale_of(n, group, p.groups);
#if MINIMA_MOVE
    total += dot(sum, value * scale.factor + scale.shift);
#else
    total += dot(sum, value * scale.factor);
#endif
#else
    total += dot(sum, value);
#endif
#endif
  }
#if LAYOUT != dense
  gradient[span * p.width * 4u + offset_row_of(index)] += total;
#endif
}
