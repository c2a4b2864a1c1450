// Slopes of a loss by the offsets of minima, or of zero points, added to what is there: sum_m y'[m, n] sums[m, g], summed over the groups of a
// span, times how the minimum changes with its offset; of zero points times -scale. One invocation an offset.

#include "moved.wgsl"

struct Params {
  rows: u32,             // M
  outputs: u32,          // N of this piece
  first_output: u32,
  total_outputs: u32,
  groups: u32,
  groups_per_span: u32,
  minima_width: u32,     // quads of offsets of minima between spans
  group_columns: u32,
  span: u32,             // columns of an offset of the scales
  tensor: u32,
  traits: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
#if SCALES
@group(0) @binding(4) var<storage, read> scales: array<u32>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  let n = flat % p.outputs;
  let span = flat / p.outputs;
  let first = span * p.groups_per_span;
  if (first >= p.groups) { return; }
  let row = p.first_output + n;
  var total = 0.0;
  for (var group = first; group < min(first + p.groups_per_span, p.groups); group++) {
    var slope = 0.0;
    for (var m = 0u; m < p.rows; m++) { slope += slopes[m * p.total_outputs + row] * sums[m * p.groups + group]; }
#include "minima_slope.wgsl" group
    total += slope;
  }
  gradient[span * p.minima_width * 4u + row] += total;
}
