// x' = f'(x) y' (* t), and with TIMES t' = f(x) y'. One invocation a quad.

struct Params {
  total: u32, // quads
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
#if TIMES
@group(0) @binding(2) var<storage, read> times: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> times_slopes: array<vec4<f32>>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> slopes: array<vec4<f32>>;

#include "activation_slopes.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let f = activation(x[flat]);
#if TIMES
  y[flat] = f.slope * slopes[flat] * times[flat];
  times_slopes[flat] = f.value * slopes[flat];
#else
  y[flat] = f.slope * slopes[flat];
#endif
}
