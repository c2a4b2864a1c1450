// Rows to their place in a longer matrix: to[b, at + m, :] = from[b, m, :], or from[m, :] for all branches.

struct Params {
  rows: u32,      // of `rows_of`, of one branch
  quads: u32,     // of a row
  total: u32,     // quads in all
  to_rows: u32,   // of one branch
  first: u32,     // the first row that is written
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> rows_of: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> to: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let quad = flat % p.quads;
  let row = flat / p.quads;
  let m = row % p.rows;
#if BY_BRANCH
  let source = row;
#else
  let source = m;
#endif
  to[((row / p.rows) * p.to_rows + p.first + m) * p.quads + quad] = rows_of[source * p.quads + quad];
}
