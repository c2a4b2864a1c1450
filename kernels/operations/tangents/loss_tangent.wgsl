// Derivatives of the loss (batch_loss.wgsl) along each direction, from log-probabilities and their tangents; one workgroup a direction.
// `scores` are the first branch's, which are there already.

struct Params {
  loss_rows: u32,        // capacity: row stride of log p
  counts: u32,           // where (loss rows, candidates, examples, classification?) stand in the batch
  candidate_start: u32,  // where the candidates' first loss rows start
  example_start: u32,    // where the examples' first candidates start
  labels: u32,
  first: u32,            // where the first direction's derivative goes
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> log_p: array<f32>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read> scores: array<f32>;

var<workgroup> sums: array<f32, 32>;

// The mean of the tangents of a candidate's log-probabilities.
fn score_tangent(d: u32, candidate: u32) -> f32 {
  let first = batch[p.candidate_start + candidate];
  let end = batch[p.candidate_start + candidate + 1u];
  var sum = 0.0;
  for (var i = first; i < end; i++) { sum += log_p[(d + 1u) * p.loss_rows + i]; }
  return sum / f32(max(end - first, 1u));
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let d = group.x;
  let row_count = batch[p.counts];
  let example_count = batch[p.counts + 2u];
  let classify = batch[p.counts + 3u] != 0u;
  var sum = 0.0;
  if (classify) {
    for (var e = lane; e < example_count; e += 32u) {
      let first = batch[p.example_start + e];
      let end = batch[p.example_start + e + 1u];
      var top = -3.0e38;
      for (var c = first; c < end; c++) { top = max(top, scores[c]); }
      var mass = 0.0;
      var moved = 0.0;
      for (var c = first; c < end; c++) {
        let e_c = exp(scores[c] - top);
        mass += e_c;
        moved += e_c * score_tangent(d, c);
      }
      sum += moved / mass - score_tangent(d, first + batch[p.labels + e]);
    }
    sum /= f32(max(example_count, 1u));
  } else {
    for (var i = lane; i < row_count; i += 32u) { sum -= log_p[(d + 1u) * p.loss_rows + i]; }
    sum /= f32(max(row_count, 1u));
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = 16u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u) { losses[p.first + d] = sums[0]; }
}
