// y[i, c] = weights[first + i] * ((c == target) - p[i, c]): the slope of a loss by logits, from that by the logarithms of their softmaxes at the
// targets. One row at a time.

struct Params {
  rows: u32,       // in this piece
  columns: u32,    // vocabulary
  branches: u32,
  targets: u32,    // where this piece's targets start in the batch
  first: u32,      // first loss row of this piece
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;

#if LANES != 1
var<workgroup> tops: array<f32, LANES>;
var<workgroup> sums: array<f32, LANES>;
#endif

#include "rows.wgsl" main
  let own = min(row, p.rows - 1u);
  let base = own * p.columns;
  var top = -3.0e38;
  for (var c = lane; c < p.columns; c += LANES) { top = max(top, logits[base + c]); }
#if LANES != 1
  tops[lane] = top;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { tops[lane] = max(tops[lane], tops[lane + half]); }
    workgroupBarrier();
  }
  top = tops[0];
#endif
  var sum = 0.0;
  for (var c = lane; c < p.columns; c += LANES) { sum += exp(logits[base + c] - top); }
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
  let wanted = min(batch[p.targets + own], p.columns - 1u);
  let weight = weights[p.first + own];
  for (var c = lane; c < p.columns; c += LANES) {
    var slope = -exp(logits[base + c] - top) / sum;
    if (c == wanted) { slope += 1.0; }
    y[base + c] = weight * slope;
  }
}
