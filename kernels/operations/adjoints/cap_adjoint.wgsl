// x' = (1 - (y / cap)^2) y', of y = cap * tanh(x / cap); without CAPPED x' = factor * y'.

struct Params {
  total: u32,
  cap: f32, // or the factor
}

@group(0) @binding(0) var<uniform> p: Params;
#if CAPPED
@group(0) @binding(1) var<storage, read> value: array<f32>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> slopes: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
#if CAPPED
  let t = value[flat] / p.cap;
  y[flat] = (1.0 - t * t) * slopes[flat];
#else
  y[flat] = p.cap * slopes[flat];
#endif
}
