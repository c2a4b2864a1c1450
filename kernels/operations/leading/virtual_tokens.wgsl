// Rows of tokens that no table has: y[b, m, :] = vectors[b, token[m] - first, :], or vectors[token[m] - first, :] for all branches.
// Other rows stay as they are.

struct Params {
  rows: u32,      // M
  quads: u32,     // of a row
  total: u32,     // quads in all: B * M * quads
  first: u32,     // the first such token
  count: u32,     // how many there are
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let row = flat / p.quads;
  let token = batch[row % p.rows];
  if (token < p.first || token - p.first >= p.count) { return; }
#if BY_BRANCH
  let vector = (row / p.rows) * p.count + token - p.first;
#else
  let vector = token - p.first;
#endif
  y[flat] = vectors[vector * p.quads + flat % p.quads];
}
