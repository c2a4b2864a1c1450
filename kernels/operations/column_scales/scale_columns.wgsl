// y[b, m, n] = x[b, m, n] s_b[n] (+ residual[b, m, n]). One invocation a quad.

struct Params {
  total: u32, // quads of all branches
  quads: u32, // of a row
  rows: u32,  // of one branch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scales: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#if RESIDUAL
@group(0) @binding(4) var<storage, read> residual: array<vec4<f32>>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let n = flat % p.quads;
#if BY_BRANCH
  let own = scales[flat / (p.rows * p.quads) * p.quads + n];
#else
  let own = scales[n];
#endif
#if TANGENT
  // Behind the first branch, changes: of x, and of what multiplies it.
  let still = flat % (p.rows * p.quads);
  let scaled = select(x[flat] * scales[n] + x[still] * own, x[flat] * own, still == flat);
#else
  let scaled = x[flat] * own;
#endif
#if RESIDUAL
  y[flat] = residual[flat] + scaled;
#else
  y[flat] = scaled;
#endif
}
