// weights[i] = the slope of the loss (batch_loss.wgsl) by the log-probability of loss row i: -1 / rows in language modelling; in
// classification (softmax of the scores - 1 where right) / (tokens of the candidate * examples). Rows beyond the batch have 0.

struct Params {
  loss_rows: u32,        // capacity
  counts: u32,           // where (loss rows, candidates, examples, classification?) stand in the batch
  candidate_start: u32,  // where the candidates' first loss rows start
  example_start: u32,    // where the examples' first candidates start
  labels: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let i = id.y * (wg.x * 64u) + id.x;
  if (i >= p.loss_rows) { return; }
  let row_count = batch[p.counts];
  let example_count = batch[p.counts + 2u];
  weights[i] = 0.0;
  if (i >= row_count) { return; }
  if (batch[p.counts + 3u] == 0u) {
    weights[i] = -1.0 / f32(max(row_count, 1u));
    return;
  }
  for (var e = 0u; e < example_count; e++) {
    let first = batch[p.example_start + e];
    let end = batch[p.example_start + e + 1u];
    if (i < batch[p.candidate_start + first] || i >= batch[p.candidate_start + end]) { continue; }
    var top = -3.0e38;
    for (var c = first; c < end; c++) { top = max(top, scores[c]); }
    var mass = 0.0;
    for (var c = first; c < end; c++) { mass += exp(scores[c] - top); }
    for (var c = first; c < end; c++) {
      let begin = batch[p.candidate_start + c];
      let stop = batch[p.candidate_start + c + 1u];
      if (i < begin || i >= stop) { continue; }
      var slope = exp(scores[c] - top) / mass;
      if (c == first + batch[p.labels + e]) { slope -= 1.0; }
      weights[i] = slope / f32((stop - begin) * example_count);
    }
  }
}
