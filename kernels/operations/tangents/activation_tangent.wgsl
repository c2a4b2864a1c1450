// y = f(x) (* t) of the first branch and its tangents, f'(x) x' (* t) (+ f(x) t'). One invocation a quad of all branches.

struct Params {
  total: u32, // quads of one branch
  branches: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
#if TIMES
@group(0) @binding(2) var<storage, read> times: array<vec4<f32>>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

#include "activation_slopes.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let f = activation(x[flat]);
#if TIMES
  let t = times[flat];
  y[flat] = f.value * t;
#else
  y[flat] = f.value;
#endif
  for (var b = 1u; b < p.branches; b++) {
    let at = b * p.total + flat;
#if TIMES
    y[at] = f.slope * x[at] * t + f.value * times[at];
#else
    y[at] = f.slope * x[at];
#endif
  }
}
