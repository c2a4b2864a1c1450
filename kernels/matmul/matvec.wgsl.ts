/**
 * The text of matvec.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// y[b, m, n] = sum_k W_b[n, k] x[b, m, k] (+ bias[n]) (+ residual[b, m, n]), for few rows
//
// A workgroup computes four neighbouring columns of all rows and branches: its invocations split K, each reads a word of
// the weights once for all BRANCHES x ROWS, and partial sums meet in workgroup memory. Four columns share a call of the
// generator, branches with equal seeds share it too; scales with noise are staged for STAGED units at a time.

#include "moved.wgsl"
#include "matmul_params.wgsl"
#include "decode.wgsl"

var<workgroup> sums: array<vec4<f32>, {WORKGROUP*TOTAL}>;
#if LAYOUT != dense
var<workgroup> factors: array<vec4<f32>, {STAGED*BRANCHES}>;
#if SHIFTED
// Each branch has its own where relative offsets multiply minima too, and where minima or zero points are trained.
var<workgroup> shifts: array<vec4<f32>, {STAGED*SHIFT_BRANCHES}>;
#endif

// Scales of the four columns from \`column0\` on, for unit \`u\` and every branch.
fn stage(slot: u32, u: u32, column0: u32) {
  let group = u / p.units_per_group;
  var base = vec4<f32>();
  var shift = vec4<f32>();
#for c 4
  let scale{c} = scale_of(min(column0 + {c}u, p.outputs - 1u), group, p.groups);
  base[{c}] = scale{c}.factor;
  shift[{c}] = scale{c}.shift;
#endfor
#if SECOND == min && !MINIMA_MOVE && PLANE == none
  shifts[slot] = shift;
#endif
#if FORM == none
#for b BRANCHES
  factors[slot * {BRANCHES}u + {b}u] = base;
#endfor
#else
  let first = (u / p.units_per_span) * p.width + offset_row(column0) / 4u;
  let stored = offsets[first];
#if NOISE
  var seed = branches[0].seed;
  var z = drawn4(stored, seed, first);
#for b BRANCHES
  if (any(branches[{b}].seed != seed)) {
    seed = branches[{b}].seed;
    z = drawn4(stored, seed, first);
  }
  factors[slot * {BRANCHES}u + {b}u] = combine4(base, stored + branches[{b}].amplitude * z);
#if MINIMA_MOVE
  shifts[slot * {BRANCHES}u + {b}u] = combine4(shift, stored + branches[{b}].amplitude * z);
#endif
#endfor
#else
#for b BRANCHES
  factors[slot * {BRANCHES}u + {b}u] = combine4(base, stored);
#if MINIMA_MOVE
  shifts[slot * {BRANCHES}u + {b}u] = combine4(shift, stored);
#endif
#endfor
#endif
#endif
#if PLANE == minima
#for b BRANCHES
  {
    let minimum = minima[({b}u * p.groups + group) * p.row_quads + column0 / 4u];
    let factor = factors[slot * {BRANCHES}u + {b}u];
    shifts[slot * {BRANCHES}u + {b}u] = vec4<f32>(shift_of(factor.x, minimum.x), shift_of(factor.y, minimum.y), shift_of(factor.z, minimum.z), shift_of(factor.w, minimum.w));
  }
#endfor
#endif
}
#endif

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(local_invocation_index) t: u32,
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) wg: vec3<u32>,
) {
  let column_tile = p.first_group + wid.y * wg.x + wid.x;
  if (column_tile >= p.column_tiles) { return; }
  let column0 = column_tile * 4u;
  let quads = p.columns / 4u;
#for c 4
  let n{c} = min(column0 + {c}u, p.outputs - 1u);
#endfor
#for b BRANCHES
#for r ROWS
  var acc{b}_{r} = vec4<f32>();
#endfor
#endfor

#if LAYOUT == dense
  for (var quad = t; quad < quads; quad += WORKGROUP) {
#for c 4
    let w{c} = codes4(n{c}, quad, p.columns, 0u, 0u, 0u);
#if FORM != none
    let e{c} = (p.first_output + n{c}) * quads + quad;
    let stored{c} = offsets[e{c}];
#if NOISE
    var z{c} = drawn4(stored{c}, branches[0].seed, e{c});
#endif
#endif
#endfor
#if NOISE
    var seed = branches[0].seed;
#endif
#for b BRANCHES
    {
#if NOISE
      if (any(branches[{b}].seed != seed)) {
        seed = branches[{b}].seed;
#for c 4
        z{c} = drawn4(stored{c}, seed, e{c});
#endfor
      }
#endif
#for c 4
#if FORM == none
      let v{c} = w{c};
#elif NOISE
      let v{c} = combine4(w{c}, stored{c} + branches[{b}].amplitude * z{c});
#else
      let v{c} = combine4(w{c}, stored{c});
#endif
#endfor
#for r ROWS
      {
        let xr = x[({b}u * ROWS + {r}u) * quads + quad];
        acc{b}_{r} += vec4<f32>(dot(xr, v0), dot(xr, v1), dot(xr, v2), dot(xr, v3));
      }
#endfor
    }
#endfor
  }
#else
  // An item is a word of a block for scalar layouts, and a quad for codebooks.
  let unit_items = p.unit_columns / 32u * {BLOCK_ITEMS}u;
  let items = p.columns / 32u * {BLOCK_ITEMS}u;
  for (var first_unit = 0u; first_unit < p.units; first_unit += {STAGED}u) {
    for (var s = t; s < {STAGED}u && first_unit + s < p.units; s += WORKGROUP) {
      stage(s, first_unit + s, column0);
    }
    workgroupBarrier();
    let end = min((first_unit + {STAGED}u) * unit_items, items);
    for (var item = first_unit * unit_items + t; item < end; item += WORKGROUP) {
      let slot = item / unit_items - first_unit;
      let group = (first_unit + slot) / p.units_per_group;
      let first_quad = (item / {BLOCK_ITEMS}u) * 8u + item % {BLOCK_ITEMS}u;
#for s ITEM_QUADS
      {
        let quad = first_quad + {s*BLOCK_ITEMS}u;
#if PLANE != codebook
#for c 4
        let w{c} = codes4(n{c}, quad, p.columns, group, p.groups, 0u);
#endfor
#endif
#for b BRANCHES
        {
#if PLANE == codebook
#for c 4
        let w{c} = codes4(n{c}, quad, p.columns, group, p.groups, {b}u);
#endfor
#endif
#for r ROWS
        {
          let xr = x[({b}u * ROWS + {r}u) * quads + quad];
          acc{b}_{r} += factors[slot * {BRANCHES}u + {b}u] * vec4<f32>(dot(xr, w0), dot(xr, w1), dot(xr, w2), dot(xr, w3))
#if SHIFTED
            + shifts[slot * SHIFT_BRANCHES + min({b}u, SHIFT_BRANCHES - 1u)] * dot(xr, vec4<f32>(1.0));
#else
            ;
#endif
        }
#endfor
        }
#endfor
      }
#endfor
    }
    workgroupBarrier();
  }
#endif

#for b BRANCHES
#for r ROWS
  sums[({b}u * ROWS + {r}u) * WORKGROUP + t] = acc{b}_{r};
#endfor
#endfor
  workgroupBarrier();
  for (var width = WORKGROUP / 2u; width > 0u; width /= 2u) {
    if (t < width) {
      for (var row = 0u; row < {TOTAL}u; row++) {
        sums[row * WORKGROUP + t] += sums[row * WORKGROUP + t + width];
      }
    }
    workgroupBarrier();
  }
  if (t < {TOTAL*4}u && column0 + t % 4u < p.outputs) {
    store(t / 4u, column0 + t % 4u, sums[(t / 4u) * WORKGROUP][t % 4u]);
  }
}
`;
export default text;
