// y[b, m, n] = sum_k W_b[n, k] x[b, m, k] (+ bias[n]) (+ residual[b, m, n])
//
// A workgroup computes ROWS x COLS of one branch through workgroup memory, 32 columns of the weights a step: what a GPU
// wants. Weights are unpacked once a tile, with the scale of the tile's branch; the noise is drawn once per unit of columns
// (the finer of scale group and offset span) and four neighbouring outputs. An invocation accumulates PER_ROWS x PER_COLS.

#include "moved.wgsl"
#include "matmul_params.wgsl"
#include "decode.wgsl"

// Eight quads of each row. Slots are swizzled by the quad so that neighbouring invocations never meet in a bank.
var<workgroup> xs: array<vec4<f32>, {ROWS*8}>;
var<workgroup> ws: array<vec4<f32>, {COLS*8}>;
#if LAYOUT != dense
var<workgroup> factors: array<f32, {COLS}>;
var<workgroup> shifts: array<f32, {COLS}>;
#endif

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(local_invocation_index) t: u32,
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) wg: vec3<u32>,
) {
  let flat = p.first_group + wid.y * wg.x + wid.x;
  let column0 = (flat % p.column_tiles) * COLS;
  let row_tile = flat / p.column_tiles;
  let b = row_tile / p.row_tiles;
  if (b * p.rows >= p.total_rows) { return; }
  let row0 = b * p.rows + (row_tile % p.row_tiles) * ROWS;
  let row_end = (b + 1u) * p.rows;
  let quads = p.columns / 4u;
  let blocks = (quads + 7u) / 8u;
  let tx = t % LANE_COLS;
  let ty = t / LANE_COLS;
#for r PER_ROWS
#for c PER_COLS
  var acc{r}_{c} = 0.0;
#endfor
#endfor
#if LAYOUT != dense
  let unit_blocks = p.unit_columns / 32u;
#endif

  for (var block = 0u; block < blocks; block++) {
#if LAYOUT != dense
    if (block % unit_blocks == 0u) {
      let u = block / unit_blocks;
      let group = u / p.units_per_group;
      for (var q = t; q < {COL_QUADS}u; q += WORKGROUP) {
#if FORM != none
        let offset = offset4(b, (u / p.units_per_span) * p.width + offset_row(column0 + q * 4u) / 4u);
#endif
#for i 4
        {
          let scale = scale_of(min(column0 + q * 4u + {i}u, p.outputs - 1u), group, p.groups);
#if FORM != none
          factors[q * 4u + {i}u] = combine(scale.factor, offset[{i}]);
#else
          factors[q * 4u + {i}u] = scale.factor;
#endif
#if PLANE == minima
          let at = q * 4u + {i}u;
          shifts[at] = shift_of(factors[at], minimum_of(min(column0 + at, p.outputs - 1u), group, p.groups, b));
#elif MINIMA_MOVE
          shifts[q * 4u + {i}u] = combine(scale.shift, offset[{i}]);
#elif TANGENT
          shifts[q * 4u + {i}u] = 0.0;
#else
          shifts[q * 4u + {i}u] = scale.shift;
#endif
        }
#endfor
      }
      workgroupBarrier();
    }
#endif
    for (var i = t; i < {ROWS*8}u; i += WORKGROUP) {
      let r = i >> 3u;
      let q = i & 7u;
      let quad = block * 8u + q;
      var value = vec4<f32>();
#if ADDS
      // All of the first branch.
      if (quad < quads) { value = x[(min(row0 + r, row_end - 1u) - b * p.rows) * quads + quad]; }
#else
      if (quad < quads) { value = x[min(row0 + r, row_end - 1u) * quads + quad]; }
#endif
      xs[q * ROWS + (r ^ q)] = value;
    }
    for (var i = t; i < {COLS*8}u; i += WORKGROUP) {
      let c = i >> 3u;
      let q = i & 7u;
      let quad = block * 8u + q;
      let n = min(column0 + c, p.outputs - 1u);
#if LAYOUT == dense
      var value = vec4<f32>();
      if (quad < quads) {
        value = codes4(n, quad, p.columns, 0u, 0u, b);
#if FORM != none
        value = combine4(value, offset4(b, (p.first_output + n) * quads + quad));
#endif
      }
      ws[q * COLS + (c ^ q)] = value;
#else
      let group = block / unit_blocks / p.units_per_group;
      ws[q * COLS + (c ^ q)] = codes4(n, quad, p.columns, group, p.groups, b) * factors[c] + shifts[c];
#endif
    }
    workgroupBarrier();
    for (var q = 0u; q < 8u; q++) {
#for c PER_COLS
      let w{c} = ws[q * COLS + ((tx + {c}u * LANE_COLS) ^ q)];
#endfor
#for r PER_ROWS
      {
        let xr = xs[q * ROWS + ((ty + {r}u * LANE_ROWS) ^ q)];
#for c PER_COLS
        acc{r}_{c} = fma(xr.x, w{c}.x, fma(xr.y, w{c}.y, fma(xr.z, w{c}.z, fma(xr.w, w{c}.w, acc{r}_{c}))));
#endfor
      }
#endfor
    }
    workgroupBarrier();
  }

#for r PER_ROWS
  {
    let row = row0 + ty + {r}u * LANE_ROWS;
    if (row < row_end) {
#for c PER_COLS
      {
        let n = column0 + tx + {c}u * LANE_COLS;
        if (n < p.outputs) { store(row, n, acc{r}_{c}); }
      }
#endfor
    }
  }
#endfor
}
