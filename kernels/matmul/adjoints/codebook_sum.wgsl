// gradient[i] += the sums of all slices (* base[i]): the slopes of a loss by the offsets of codebooks. One invocation a quad.

struct Params {
  quads: u32,
  slices: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;
#if RELATIVE
@group(0) @binding(4) var<storage, read> base: array<vec2<u32>>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let quad = id.y * (wg.x * 64u) + id.x;
  if (quad >= p.quads) { return; }
  var sum = vec4<f32>();
  for (var slice = 0u; slice < p.slices; slice++) { sum += sums[slice * p.quads + quad]; }
#if RELATIVE
  let entry = base[quad];
  sum *= vec4<f32>(unpack2x16float(entry.x), unpack2x16float(entry.y));
#endif
  gradient[quad] += sum;
}
