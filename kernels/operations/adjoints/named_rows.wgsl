// Of every row the first place of a list that names it and the one behind the last, so that scatter_rows.wgsl goes over those alone. One
// invocation a row.

struct Params {
  rows: u32,
  count: u32,   // of the list
  list: u32,    // where the list starts in the batch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec2<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let row = id.y * (wg.x * 64u) + id.x;
  if (row >= p.rows) { return; }
  var first = p.count;
  var end = 0u;
  for (var i = 0u; i < p.count; i++) {
    if (batch[p.list + i] == row) {
      first = min(first, i);
      end = i + 1u;
    }
  }
  y[row] = vec2<u32>(first, end);
}
