// h[b, m, r] = sum_k A_b[r, k] x[b, m, k]: few outputs of a long sum. An invocation (or, on GPUs, the lanes of a workgroup, each with its
// share of k) takes ROWS rows by PER ranks, so that what it loads is used several times.

struct Params {
  rows: u32,      // of one branch
  branches: u32,
  quads: u32,     // of a row of x and of A
  rank: u32,
  tiles: u32,     // of rows of one branch
  chunks: u32,    // of ranks
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> h: array<f32>;

#if LANES != 1
var<workgroup> sums: array<f32, LANES * ROWS * PER>;
#endif

@compute @workgroup_size({WORKGROUP})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) wg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let flat = group.y * wg.x + group.x;
#if LANES == 1
  let item = flat * WORKGROUP + local;
  let lane = 0u;
#else
  let item = flat;
  let lane = local;
#endif
  let live = item < p.tiles * p.branches * p.chunks;
  let at = min(item, p.tiles * p.branches * p.chunks - 1u);
  let first_rank = at % p.chunks * PER;
  let tile = at / p.chunks;
  let b = tile / p.tiles;
  let first_row = tile % p.tiles * ROWS;
#for m ROWS
  let x{m} = (b * p.rows + min(first_row + {m}u, p.rows - 1u)) * p.quads;
#if TANGENT
  let still_x{m} = min(first_row + {m}u, p.rows - 1u) * p.quads;
#endif
#for r PER
  var sum{m}_{r} = 0.0;
#endfor
#endfor
#if BY_BRANCH
  let a_first = (b * p.rank + first_rank) * p.quads;
#else
  let a_first = first_rank * p.quads;
#endif
  for (var k = lane; k < p.quads; k += LANES) {
#for m ROWS
    let v{m} = x[x{m} + k];
#if TANGENT
    let still{m} = x[still_x{m} + k];
#endif
#endfor
#for r PER
    let a{r} = a[a_first + {r}u * p.quads + k];
#if TANGENT
    let still_a{r} = a[(first_rank + {r}u) * p.quads + k];
#endif
#for m ROWS
#if TANGENT
    sum{m}_{r} += select(dot(still_a{r}, v{m}) + dot(a{r}, still{m}), dot(a{r}, v{m}), b == 0u);
#else
    sum{m}_{r} += dot(a{r}, v{m});
#endif
#endfor
#endfor
  }
#if LANES != 1
#for m ROWS
#for r PER
  sums[{m*PER+r}u * LANES + lane] = sum{m}_{r};
#endfor
#endfor
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
#for s SUMS
      sums[{s}u * LANES + lane] += sums[{s}u * LANES + lane + half];
#endfor
    }
    workgroupBarrier();
  }
  // Each of the first lanes writes one of the sums.
  if (live && lane < SUMS) {
    let row = first_row + lane / PER;
    if (row < p.rows) { h[(b * p.rows + row) * p.rank + first_rank + lane % PER] = sums[lane * LANES]; }
  }
#else
  if (!live) { return; }
#for m ROWS
  if (first_row + {m}u < p.rows) {
    let out{m} = (b * p.rows + first_row + {m}u) * p.rank + first_rank;
#for r PER
    h[out{m} + {r}u] = sum{m}_{r};
#endfor
  }
#endfor
#endif
}
