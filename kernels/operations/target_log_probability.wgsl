// out[b, first + i] = log softmax(logits[b, i, :])[wanted[first + i]], one row at a time: the largest logit and the sum of
// exponentials in one running pass.

struct Params {
  rows: u32,       // rows of one branch in this piece
  columns: u32,    // vocabulary
  branches: u32,
  targets: u32,    // where this piece's targets start in the batch
  out_rows: u32,   // loss rows of one branch in `out`
  first: u32,      // first loss row of this piece
}

@group(0) @binding(0) var<uniform> p: Params;
#if WIDTH == 4
@group(0) @binding(1) var<storage, read> logits: array<vec4<f32>>;
#else
@group(0) @binding(1) var<storage, read> logits: array<f32>;
#endif
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

#if LANES != 1
var<workgroup> tops: array<f32, LANES>;
var<workgroup> sums: array<f32, LANES>;
#endif

#include "rows.wgsl" main
  let base = min(row, p.rows * p.branches - 1u) * p.columns / WIDTH;
  let items = p.columns / WIDTH;
  var top = -3.0e38;
  for (var i = lane; i < items; i += LANES) {
#if WIDTH == 4
    let v = logits[base + i];
    top = max(top, max(max(v.x, v.y), max(v.z, v.w)));
#else
    top = max(top, logits[base + i]);
#endif
  }
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
  for (var i = lane; i < items; i += LANES) {
#if WIDTH == 4
    sum += dot(exp(logits[base + i] - top), vec4<f32>(1.0));
#else
    sum += exp(logits[base + i] - top);
#endif
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
  let i = row % p.rows;
  let wanted = min(batch[p.targets + i], p.columns - 1u);
#if WIDTH == 4
  let logit = logits[base + wanted / 4u][wanted % 4u];
#else
  let logit = logits[base + wanted];
#endif
  out[(row / p.rows) * p.out_rows + p.first + i] = (logit - top) - log(sum);
}
