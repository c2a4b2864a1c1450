// y[m, :] = the sum of x[i, :] over the places i of a list that name row m. One invocation a quad: no two write the same. `named` are the first of
// those places, and the one behind the last.

struct Params {
  total: u32,   // quads of y
  quads: u32,   // of a row
  list: u32,    // where the list starts in the batch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> named: array<vec2<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let row = flat / p.quads;
  let places = named[row];
  var sum = vec4<f32>();
  for (var i = places.x; i < places.y; i++) {
    if (batch[p.list + i] == row) { sum += x[i * p.quads + flat % p.quads]; }
  }
  y[flat] = sum;
}
