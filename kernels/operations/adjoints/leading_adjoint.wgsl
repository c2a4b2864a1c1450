// gradient[r, :] += sum of slopes by the rows that stand for vector r (* base[r, :]): rows of its virtual token, or with PLACED the one at
// `first` + r. One invocation a quad.

struct Params {
  rows: u32,   // of the batch
  quads: u32,  // of a row
  count: u32,  // vectors
  first: u32,  // the first virtual token; PLACED: the first vector's row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> slopes: array<vec4<f32>>;
#if !PLACED
@group(0) @binding(2) var<storage, read> batch: array<u32>;
#endif
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;
#if RELATIVE
@group(0) @binding(4) var<storage, read> base: array<vec4<f32>>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.count * p.quads) { return; }
#if PLACED
  var sum = slopes[p.first * p.quads + flat];
#else
  let wanted = p.first + flat / p.quads;
  let quad = flat % p.quads;
  var sum = vec4<f32>();
  for (var m = 0u; m < p.rows; m++) {
    if (batch[m] == wanted) { sum += slopes[m * p.quads + quad]; }
  }
#endif
#if RELATIVE
  sum *= base[flat];
#endif
  gradient[flat] += sum;
}
