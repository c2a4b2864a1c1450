// products[i, j] = sum over k in [first, end) of left[k, i] right[k - first, j]: both factors are stored by columns, so that what neighbours
// read lies together. An invocation computes 8 x 8 in registers, a workgroup 64 x 64, so that its loads meet in the cache.

struct Params {
  rows: u32,        // quads of rows i
  columns: u32,     // quads of rows j
  first: u32,
  end: u32,
  tiles: u32,       // of 64 rows j
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> products: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) wg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let flat = group.y * wg.x + group.x;
  let i0 = flat / p.tiles * 16u + local / 8u * 2u;
  let j0 = flat % p.tiles * 16u + local % 8u * 2u;
  if (i0 >= p.rows || j0 >= p.columns) { return; }
  let i1 = min(i0 + 1u, p.rows - 1u);
  let j1 = min(j0 + 1u, p.columns - 1u);
#include "register_tile.wgsl" zero
  for (var k = p.first; k < p.end; k++) {
    let a = left[k * p.rows + i0];
    let b = left[k * p.rows + i1];
    let at = (k - p.first) * p.columns;
    let low = right[at + j0];
    let high = right[at + j1];
#include "register_tile.wgsl" add
  }
#for r 8
  if (i0 * 4u + {r}u < p.rows * 4u) {
    let at = (i0 * 4u + {r}u) * p.columns;
    products[at + j0] = low{r};
    if (j0 + 1u < p.columns) { products[at + j0 + 1u] = high{r}; }
  }
#endfor
}
