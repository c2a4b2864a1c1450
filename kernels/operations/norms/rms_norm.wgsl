// y[r, :] = x[row(r), :] / sqrt(mean(x^2) + eps) * g_b. With ROW_LIST only the listed rows of each branch are normalised
// and written compactly: the positions that the loss needs.

#include "moved.wgsl"

struct Params {
  rows: u32,        // output rows of one branch
  columns: u32,
  in_rows: u32,     // input rows of one branch
  list: u32,        // where the row list starts in the batch
  branches: u32,
  tensor: u32,
  traits: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gain: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#if ROW_LIST
@group(0) @binding(4) var<storage, read> batch: array<u32>;
#endif

#if LANES != 1
var<workgroup> sums: array<f32, LANES>;
#endif

#include "rows.wgsl" main
  let b = min(row / p.rows, p.branches - 1u);
  let quads = p.columns / 4u;
#if ROW_LIST
  let source = (b * p.in_rows + batch[p.list + row % p.rows]) * quads;
#else
  let source = min(row, p.rows * p.branches - 1u) * quads;
#endif
  var sum = 0.0;
  for (var k = lane; k < quads; k += LANES) {
    let v = x[source + k];
    sum += dot(v, v);
  }
#if LANES != 1
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  sum = sums[0];
#endif
  if (!live) { return; }
  let factor = inverseSqrt(sum / f32(p.columns) + p.epsilon);
  for (var k = lane; k < quads; k += LANES) {
    var g = bitcast<vec4<f32>>(gain[k]);
#if FORM != none
    g = combine4(g, offset4(b, k));
#endif
    y[row * quads + k] = x[source + k] * factor * g;
  }
}
