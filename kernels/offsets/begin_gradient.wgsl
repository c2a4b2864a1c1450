// A step's gradient begins at zero, or where the step before left it: steps of one move add up. By a selection, so that what is not finite
// goes.

struct Params {
  total: u32, // quads
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> goes_on: array<u32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total || goes_on[0] != 0u) { return; }
  gradient[flat] = vec4<f32>();
}
