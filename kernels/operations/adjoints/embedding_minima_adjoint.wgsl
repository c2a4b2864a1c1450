// Slopes of a loss by the offsets of minima, or of zero points, of a table whose rows were gathered, added to what is there. One invocation a
// (row of the batch, span): the first row of those with the same index takes all of them, so that no two write the same.

#include "moved.wgsl"

struct Params {
  rows: u32,             // M
  columns: u32,          // D
  table_rows: u32,       // rows of this piece
  first_row: u32,
  group_columns: u32,
  groups: u32,
  groups_per_span: u32,
  minima_width: u32,     // quads of offsets of minima between spans
  index: u32,            // where the index of each row starts in the batch
  shift: u32,            // added to it
  span: u32,             // columns of an offset of the scales
  tensor: u32,
  traits: u32,
  width: u32,
  factor: f32,           // what rows were multiplied by
}

@group(0) @binding(0) var<uniform> p: Params;
#if !ONE_ROW
@group(0) @binding(2) var<storage, read> batch: array<u32>;
#endif
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
#if SCALES
@group(0) @binding(4) var<storage, read> scales: array<u32>;
#endif
@group(0) @binding(6) var<storage, read> slopes: array<vec4<f32>>;

#include "gathered_rows.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  let spans = (p.groups + p.groups_per_span - 1u) / p.groups_per_span;
  let m = flat / spans;
  let span = flat % spans;
  if (m >= p.rows) { return; }
  let row = index_of(m);
  if (!is_here(row)) { return; }
  for (var other = 0u; other < m; other++) {
    if (index_of(other) == row) { return; }
  }
  let n = row - p.first_row;
  let quads = p.columns / 4u;
  let end = min((span + 1u) * p.groups_per_span, p.groups);
  var total = 0.0;
  for (var group = span * p.groups_per_span; group < end; group++) {
    var sum = vec4<f32>();
    for (var other = m; other < p.rows; other++) {
      if (index_of(other) != row) { continue; }
      let last = min((group + 1u) * p.group_columns / 4u, quads);
      for (var quad = group * p.group_columns / 4u; quad < last; quad++) { sum += slopes[other * quads + quad]; }
    }
    var slope = dot(sum, vec4<f32>(p.factor));
#include "minima_slope.wgsl" group
    total += slope;
  }
  gradient[span * p.minima_width * 4u + row] += total;
}
