// y[b, m, n] = residual[b, m, n] + scale * (bias_b[n] + sum_r h[b, m, r] B_b[r, n]). One invocation ROWS rows by four neighbouring n.

struct Params {
  rows: u32,      // of one branch
  branches: u32,
  quads: u32,     // of a row of y and of B
  rank: u32,
  tiles: u32,     // of rows of one branch
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> b_matrix: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#if RESIDUAL
@group(0) @binding(4) var<storage, read> residual: array<vec4<f32>>;
#endif
#if BIAS != none
@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.tiles * p.branches * p.quads) { return; }
  let quad = flat % p.quads;
  let tile = flat / p.quads;
  let b = tile / p.tiles;
  let first_row = tile % p.tiles * ROWS;
#if BIAS == branch
  let start = bias[b * p.quads + quad];
#elif BIAS == all && TANGENTS
  // It does not change.
  let start = select(vec4<f32>(0.0), bias[quad], b == 0u);
#elif BIAS == all
  let start = bias[quad];
#else
  let start = vec4<f32>(0.0);
#endif
#for m ROWS
  let h{m} = (b * p.rows + min(first_row + {m}u, p.rows - 1u)) * p.rank;
  var sum{m} = start;
#if TANGENT
  let still_h{m} = min(first_row + {m}u, p.rows - 1u) * p.rank;
#endif
#endfor
#if BY_BRANCH
  let b_first = b * p.rank * p.quads + quad;
#else
  let b_first = quad;
#endif
  for (var r = 0u; r < p.rank; r++) {
    let v = b_matrix[b_first + r * p.quads];
#if TANGENT
    let still = b_matrix[quad + r * p.quads];
#endif
#for m ROWS
#if TANGENT
    sum{m} += select(h[h{m} + r] * still + h[still_h{m} + r] * v, h[h{m} + r] * v, b == 0u);
#else
    sum{m} += h[h{m} + r] * v;
#endif
#endfor
  }
#for m ROWS
  if (first_row + {m}u < p.rows) {
    let at{m} = (b * p.rows + first_row + {m}u) * p.quads + quad;
#if RESIDUAL
    y[at{m}] = residual[at{m}] + p.scale * sum{m};
#else
    y[at{m}] = p.scale * sum{m};
#endif
  }
#endfor
}
