// gradient[k] += sum over rows of y'[row, k] n[row, k] (* base[k]): slopes of a loss by a norm's gain. One invocation a quad.

struct Params {
  rows: u32,
  quads: u32, // of a row
  list: u32,  // where the row list starts in the batch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
#if ROW_LIST
@group(0) @binding(2) var<storage, read> batch: array<u32>;
#endif
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;
#if RELATIVE
@group(0) @binding(4) var<storage, read> base: array<vec4<f32>>;
#endif
@group(0) @binding(5) var<storage, read> slopes: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> stats: array<vec2<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let k = id.y * (wg.x * 64u) + id.x;
  if (k >= p.quads) { return; }
  var sum = vec4<f32>();
  for (var row = 0u; row < p.rows; row++) {
#if ROW_LIST
    let source = batch[p.list + row];
#else
    let source = row;
#endif
    let s = stats[row];
    sum += slopes[row * p.quads + k] * (x[source * p.quads + k] - s.y) * s.x;
  }
#if RELATIVE
  sum *= base[k];
#endif
  gradient[k] += sum;
}
