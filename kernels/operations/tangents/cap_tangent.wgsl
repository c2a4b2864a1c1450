// x becomes cap * tanh(x / cap) in the first branch, and x' becomes (1 - tanh(x / cap)^2) x' in the others, in place.

struct Params {
  total: u32, // of one branch
  branches: u32,
  cap: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

#include "soft_cap.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let y = soft_cap(x[flat], p.cap);
  let slope = 1.0 - (y / p.cap) * (y / p.cap);
  x[flat] = y;
  for (var b = 1u; b < p.branches; b++) { x[b * p.total + flat] *= slope; }
}
