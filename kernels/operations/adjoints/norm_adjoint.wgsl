// The slope of a loss by normalised rows' inputs, from that by the results: with h = g y', x' = r (h - n mean(n h)), CENTRED less the mean of h.
// `stats` are r and the mean of each row, for the slopes by the gain. With ROW_LIST the rows are the listed ones, compactly: see scatter_rows.wgsl.

struct Params {
  rows: u32,    // of the result
  quads: u32,   // of a row
  list: u32,    // where the row list starts in the batch
  branches: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
#if ROW_LIST
@group(0) @binding(2) var<storage, read> batch: array<u32>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#if GAIN
@group(0) @binding(4) var<storage, read> gain: array<vec4<f32>>;
#endif
@group(0) @binding(5) var<storage, read> slopes: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> stats: array<vec2<f32>>;

#include "rows.wgsl" sums

// The slope by the normalised row, before its gain.
fn normal_slope(at: u32, k: u32) -> vec4<f32> {
#if GAIN
  return slopes[at + k] * gain[k];
#else
  return slopes[at + k];
#endif
}

#include "rows.wgsl" main
  let own = min(row, p.rows - 1u);
#if ROW_LIST
  let source = batch[p.list + own] * p.quads;
#else
  let source = own * p.quads;
#endif
  let at = own * p.quads;
  let columns = f32(p.quads * 4u);
  var mean = 0.0;
  var slope_mean = 0.0;
#if CENTRED
  var sum = 0.0;
  var slope_sum = 0.0;
  for (var k = lane; k < p.quads; k += LANES) {
    sum += dot(x[source + k], vec4(1.0));
    slope_sum += dot(normal_slope(at, k), vec4(1.0));
  }
  mean = total(lane, sum) / columns;
  slope_mean = total(lane, slope_sum) / columns;
#endif
  var squares = 0.0;
  var products = 0.0;
  for (var k = lane; k < p.quads; k += LANES) {
    let d = x[source + k] - mean;
    squares += dot(d, d);
    products += dot(d, normal_slope(at, k));
  }
  let factor = inverseSqrt(total(lane, squares) / columns + p.epsilon);
  let along = total(lane, products) / columns * factor;
  if (!live) { return; }
  if (lane == 0u) { stats[row] = vec2<f32>(factor, mean); }
  for (var k = lane; k < p.quads; k += LANES) {
    let n = (x[source + k] - mean) * factor;
    y[at + k] = factor * (normal_slope(at, k) - slope_mean - n * along);
  }
}
