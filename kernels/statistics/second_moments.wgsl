// sums[i - first, j] += sum over rows of x[row, i] x[row, j], for the tiles of 8 x 8 on and above the diagonal: the sums are
// symmetric. An invocation computes a tile in registers, a workgroup 64 x 64, so that its loads meet in the cache.

struct Params {
  quads: u32,       // of a row of x
  first: u32,       // row of the sums that this piece begins with, a multiple of 64
  rows: u32,        // of the sums in this piece
  tiles: u32,       // of 64 columns
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> used: array<u32>; // rows of x that count
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) wg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let flat = group.y * wg.x + group.x;
  // In quads: of columns i (rows of the sums) and j.
  let i0 = p.first / 4u + flat / p.tiles * 16u + local / 8u * 2u;
  let j0 = flat % p.tiles * 16u + local % 8u * 2u;
  if (i0 * 4u >= p.first + p.rows || j0 >= p.quads || j0 < i0) { return; }
  let i1 = min(i0 + 1u, p.quads - 1u);
  let j1 = min(j0 + 1u, p.quads - 1u);
#include "register_tile.wgsl" zero
  let count = used[0];
  for (var row = 0u; row < count; row++) {
    let at = row * p.quads;
    let a = x[at + i0];
    let b = x[at + i1];
    let low = x[at + j0];
    let high = x[at + j1];
#include "register_tile.wgsl" add
  }
  let row = i0 * 4u - p.first;
#for r 8
  if (row + {r}u < p.rows) {
    let at = (row + {r}u) * p.quads;
    sums[at + j0] += low{r};
    if (j0 + 1u < p.quads) { sums[at + j0 + 1u] += high{r}; }
  }
#endfor
}
