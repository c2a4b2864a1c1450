// y[n, k] = sum_m y'[m, first + n] x[m, k]: the slopes of a loss by some rows of a matrix. An invocation takes four rows by sixteen columns.

struct Params {
  rows: u32,     // M
  columns: u32,  // K
  outputs: u32,  // rows of the matrix that are taken
  first: u32,    // the first of them
  total_outputs: u32,
  first_group: u32, // of a dispatch that is split: its first workgroup
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> slopes: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * 32u + id.y * (wg.x * 32u) + id.x;
  let quads = p.columns / 4u;
  let tiles = (quads + 3u) / 4u;
  let quad = flat % tiles * 4u;
  let n = flat / tiles * 4u;
  if (n >= p.outputs) { return; }
#for c 4
#for i 4
  var w{c}_{i} = vec4<f32>();
#endfor
#endfor
  for (var m = 0u; m < p.rows; m++) {
    let at = m * p.total_outputs + p.first;
#for i 4
    let x{i} = x[m * quads + min(quad + {i}u, quads - 1u)];
#endfor
#for c 4
    let s{c} = slopes[at + min(n + {c}u, p.outputs - 1u)];
#for i 4
    w{c}_{i} += s{c} * x{i};
#endfor
#endfor
  }
#for c 4
  if (n + {c}u < p.outputs) {
#for i 4
    if (quad + {i}u < quads) { y[(n + {c}u) * quads + quad + {i}u] = w{c}_{i}; }
#endfor
  }
#endfor
}
