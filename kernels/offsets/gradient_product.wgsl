// The product of a gradient with a tangent (ALONG), or its norm, in two stages of fixed order: no two invocations add to the same number, so the
// bits are the same on every run.
// First, many workgroups to an arena: partial[first + w] = a part of the sum of products, or of squares. Last, one workgroup:
// result[first] = the sum of all partials, or its root.

struct Params {
  total: u32, // quads of the arena, or partials
  first: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
#if LAST
@group(0) @binding(1) var<storage, read> partials: array<f32>;
#else
@group(0) @binding(1) var<storage, read> gradient: array<vec4<f32>>;
#if ALONG
@group(0) @binding(2) var<storage, read> tangent: array<vec4<f32>>;
#endif
#endif
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
) {
  var sum = 0.0;
#if LAST
  for (var i = local; i < p.total; i += 64u) { sum += partials[i]; }
#else
  for (var i = group.x * 64u + local; i < p.total; i += groups.x * 64u) {
    let quad = gradient[i];
#if ALONG
    sum += dot(quad, tangent[i]);
#else
    sum += dot(quad, quad);
#endif
  }
#endif
  sums[local] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local < half) { sums[local] += sums[local + half]; }
  }
  if (local == 0u) {
#if LAST && !ALONG
    result[p.first] = sqrt(sums[0]);
#else
    result[p.first + group.x] = sums[0];
#endif
  }
}
