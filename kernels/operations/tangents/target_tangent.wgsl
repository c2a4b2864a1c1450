// out[0, first + i] = log p[wanted], the logarithm of the softmax of the first branch's logits, and out[d, first + i] its tangent,
// l'[wanted] - sum p l', of the logits' tangents l'. One row of a direction at a time.

struct Params {
  rows: u32,       // rows of one branch in this piece
  columns: u32,    // vocabulary
  branches: u32,   // directions
  targets: u32,    // where this piece's targets start in the batch
  out_rows: u32,   // loss rows of one branch in `out`
  first: u32,      // first loss row of this piece
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

#if LANES != 1
var<workgroup> tops: array<f32, LANES>;
var<workgroup> sums: array<vec2<f32>, LANES>;
#endif

#include "rows.wgsl" main
  let at = min(row, p.rows * p.branches - 1u);
  let i = at % p.rows;
  let base = i * p.columns;
  let moved = (at + p.rows) * p.columns;
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
  var sum = vec2<f32>();
  for (var c = lane; c < p.columns; c += LANES) {
    let e = exp(logits[base + c] - top);
    sum += vec2<f32>(e, e * logits[moved + c]);
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
  if (!live || lane != 0u) { return; }
  let wanted = min(batch[p.targets + i], p.columns - 1u);
  let d = row / p.rows;
  if (d == 0u) { out[p.first + i] = (logits[base + wanted] - top) - log(sum.x); }
  out[(d + 1u) * p.out_rows + p.first + i] = logits[moved + wanted] - sum.y / sum.x;
}
