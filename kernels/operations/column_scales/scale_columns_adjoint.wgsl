// gradient[n] += sum_m y'[m, n] x[m, n] (* base[n]): slopes of a loss by what multiplies the columns of x. One invocation a quad.

struct Params {
  rows: u32,
  quads: u32, // of a row
}

@group(0) @binding(0) var<uniform> p: Params;
#if RELATIVE
@group(0) @binding(1) var<storage, read> base: array<vec4<f32>>;
#endif
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> slopes: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let n = id.y * (wg.x * 64u) + id.x;
  if (n >= p.quads) { return; }
  var sum = vec4<f32>();
  for (var m = 0u; m < p.rows; m++) { sum += slopes[m * p.quads + n] * x[m * p.quads + n]; }
#if RELATIVE
  sum *= base[n];
#endif
  gradient[n] += sum;
}
