// y[b] = x for the first branch, 0 for the others: a vector that does not change, with its tangents.

struct Params {
  total: u32,
  length: u32, // of x
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  if (flat < p.length) {
    y[flat] = x[flat];
  } else {
    y[flat] = 0.0;
  }
}
