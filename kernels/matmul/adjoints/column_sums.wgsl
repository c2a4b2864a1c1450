// gradient[n] += sum_m y'[m, n] (* base[n]): slopes by a vector that is added to every row. One invocation an element.

struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
#if RELATIVE
@group(0) @binding(1) var<storage, read> base: array<f32>;
#endif
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let n = id.y * (wg.x * 64u) + id.x;
  if (n >= p.columns) { return; }
  var sum = 0.0;
  for (var m = 0u; m < p.rows; m++) { sum += slopes[m * p.columns + n]; }
#if RELATIVE
  sum *= base[n];
#endif
  gradient[n] += sum;
}
