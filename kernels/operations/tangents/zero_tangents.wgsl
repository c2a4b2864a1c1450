// y[first ..] = 0

struct Params {
  total: u32, // quads to write
  first: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  y[p.first + flat] = vec4<f32>();
}
