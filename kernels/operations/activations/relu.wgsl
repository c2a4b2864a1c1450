// y = max(x, 0) (* times); what is not a number stays so

struct Params {
  total: u32, // quads
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
#if TIMES
@group(0) @binding(2) var<storage, read> times: array<vec4<f32>>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let v = x[flat];
  let positive = select(v, vec4(0.0), v < vec4(0.0));
#if TIMES
  y[flat] = positive * times[flat];
#else
  y[flat] = positive;
#endif
}
