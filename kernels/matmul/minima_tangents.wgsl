// y[1 + d, m, n] += sum_g f[n, g] minima'[d, g, n] sums[m, g]: what a change of minima (f = 1) or of zero points (f = -scale) adds to the
// tangents of a product. `sums` are those of x over the columns of a group. One invocation an element.

#include "moved.wgsl"

struct Params {
  rows: u32,        // M
  branches: u32,    // of tangents
  outputs: u32,     // N of this piece
  first_output: u32,
  total_outputs: u32,
  groups: u32,
  group_columns: u32,
  span: u32,        // columns of an offset of the scales
  row_quads: u32,
  tensor: u32,
  traits: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> moved_minima: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.branches * p.rows * p.outputs) { return; }
  let n = flat % p.outputs;
  let m = (flat / p.outputs) % p.rows;
  let d = flat / (p.outputs * p.rows);
  var sum = 0.0;
  for (var group = 0u; group < p.groups; group++) {
    var term = moved_minima[(d * p.groups + group) * p.row_quads + n / 4u][n % 4u] * sums[m * p.groups + group];
#if SECOND == zero
    var factor = unpack2x16float(scales[n * p.groups + group]).x;
#if FORM != none
    let row = p.first_output + n;
    factor = combine(factor, offset4(0u, group * p.group_columns / p.span * p.width + row / 4u)[row % 4u]);
#endif
    term *= -factor;
#endif
    sum += term;
  }
  y[((1u + d) * p.rows + m) * p.total_outputs + p.first_output + n] += sum;
}
