// x'[m, k] = sum_n y'[m, n] W[n, k]: the slope of a loss by the input of a product, from that by its result, where codes lie in words. An
// invocation takes ROWS rows by a block of 32 columns: four rows of the block at a time are unpacked into registers, once for all ROWS.

#include "moved.wgsl"

struct Params {
  rows: u32,          // M
  columns: u32,       // K
  outputs: u32,       // N of this piece
  first_output: u32,
  total_outputs: u32,
  unit_columns: u32,  // columns that share a scale and an offset: a multiple of a block
  units_per_group: u32,
  units_per_span: u32,
  groups: u32,        // LAYOUT == column: classes of rows
  row_quads: u32,     // PLANE == minima: quads of rows of this piece
  tensor: u32,
  traits: u32,
  width: u32,
  first_group: u32,   // of a dispatch that is split: its first workgroup
}

@group(0) @binding(0) var<uniform> p: Params;
#include "code_words.wgsl" binding
#if VECTOR
@group(0) @binding(2) var<storage, read> slopes: array<vec4<f32>>;
#else
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#include "decode_{LAYOUT}.wgsl" bindings

#include "register_{LAYOUT}.wgsl" functions

// The row of the offsets that belong to a row of the tensor.
fn offset_row_of(row: u32) -> u32 {
#include "decode_{LAYOUT}.wgsl" offset_row
}

#include "slopes4.wgsl"

@compute @workgroup_size({WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * {WORKGROUP}u + id.y * (wg.x * {WORKGROUP}u) + id.x;
  let quads = p.columns / 4u;
  let blocks = p.columns / 32u;
  let block = flat % blocks;
  let row0 = flat / blocks * ROWS;
  if (row0 >= p.rows) { return; }
  let u = block * 32u / p.unit_columns;
#if FORM != none
  let first = u / p.units_per_span * p.width;
#endif
#if SCALE_UNITS != 1
  let held_unit = u / SCALE_UNITS * SCALE_UNITS;
#endif
  let b = 0u;
#for r ROWS
  let at_row{r} = min(row0 + {r}u, p.rows - 1u);
#for t 8
  var y{r}_{t} = vec4<f32>();
#endfor
#if SECOND == min
  var shift{r} = 0.0;
#endif
#endfor
  var column0 = 0u;
  loop {
#for c COLS
    let n{c} = min(column0 + {c}u, p.outputs - 1u);
#endfor
#if SCALE_UNITS != 1
#for c COLS
#include "register_{LAYOUT}.wgsl" held
#endfor
#endif
#include "register_{LAYOUT}.wgsl" scales
#if FORM != none
    let offset = offsets[first + offset_row_of(p.first_output + column0) / 4u];
#endif
#for c COLS
    var factor{c} = 0.0;
    {
#include "register_{LAYOUT}.wgsl" base
#if FORM != none
      factor{c} = combine(base, offset[{c}]);
#else
      factor{c} = base;
#endif
    }
#if MINIMA_MOVE
    let moved{c} = combine(second{c}, offset[{c}]);
#elif SECOND == min
    let moved{c} = second{c};
#endif
#endfor
#for r ROWS
    let s{r} = slopes4(at_row{r}, column0);
#if SECOND == min
    shift{r} += dot(s{r}, vec4<f32>(moved0, moved1, moved2, moved3));
#endif
    let f{r} = s{r} * vec4<f32>(factor0, factor1, factor2, factor3);
#endfor
#include "adjoint_words.wgsl" block
    column0 += COLS;
    if (column0 >= p.outputs) { break; }
  }
#for r ROWS
  if (row0 + {r}u < p.rows) {
#for t 8
    {
#if SECOND == min
      let value = y{r}_{t} + shift{r};
#else
      let value = y{r}_{t};
#endif
      let at = (row0 + {r}u) * quads + block * 8u + {t}u;
#if ADDS
      y[at] += value;
#else
      y[at] = value;
#endif
    }
#endfor
  }
#endfor
}
