// sums[j] += sum over rows of |x[row, j]|, four columns an invocation.

struct Params {
  quads: u32, // of a row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> used: array<u32>; // rows of x that count
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let quad = id.y * (wg.x * 64u) + id.x;
  if (quad >= p.quads) { return; }
  var sum = vec4<f32>();
  for (var row = 0u; row < used[0]; row++) { sum += abs(x[row * p.quads + quad]); }
  sums[quad] += sum;
}
