// y[m, g] = the sum of x[m, :] over the columns of group g. One invocation an element.

struct Params {
  total: u32,  // M * G
  groups: u32,
  quads: u32,  // of a group
  row: u32,    // quads of a row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let group = flat % p.groups;
  let first = group * p.quads;
  let end = min(first + p.quads, p.row);
  var sum = vec4<f32>();
  for (var i = first; i < end; i++) { sum += x[flat / p.groups * p.row + i]; }
  y[flat] = sum.x + sum.y + sum.z + sum.w;
}
