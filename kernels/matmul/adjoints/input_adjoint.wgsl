// x'[m, k] = sum_n y'[m, n] W[n, k]: the slope of a loss by the input of a product, from that by its result. An invocation takes ROWS rows by
// four neighbouring k, so that each weight is unpacked once for them.

#include "moved.wgsl"

struct Params {
  rows: u32,          // M
  columns: u32,       // K
  outputs: u32,       // N of this piece
  first_output: u32,
  total_outputs: u32,
  group_columns: u32,
  groups: u32,
  span: u32,
  row_quads: u32,     // PLANE == minima: quads of rows of this piece
  tensor: u32,
  traits: u32,
  width: u32,
  first_group: u32,   // of a dispatch that is split: its first workgroup
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
#if VECTOR
@group(0) @binding(2) var<storage, read> slopes: array<vec4<f32>>;
#else
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#include "decode_{LAYOUT}.wgsl" bindings

#include "decode.wgsl"

// The row of the offsets that belong to a row of the tensor.
fn offset_row_of(row: u32) -> u32 {
#include "decode_{LAYOUT}.wgsl" offset_row
}

#include "slopes4.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * 64u + id.y * (wg.x * 64u) + id.x;
  let quads = p.columns / 4u;
  let quad = flat % quads;
  let row0 = flat / quads * ROWS;
  if (row0 >= p.rows) { return; }
  let group = quad * 4u / p.group_columns;
#if FORM != none && LAYOUT != dense
  let first = quad * 4u / p.span * p.width;
#endif
#for r ROWS
  var sum{r} = vec4<f32>();
#endfor
  for (var n = 0u; n < p.outputs; n += 4u) {
#if FORM != none && LAYOUT != dense
    let moved = offset4(0u, first + offset_row_of(p.first_output + n) / 4u);
#endif
#for c 4
    let n{c} = min(n + {c}u, p.outputs - 1u);
#if LAYOUT == dense
    var w{c} = codes4(n{c}, quad, p.columns, 0u, 0u, 0u);
#if FORM != none
    w{c} = combine4(w{c}, offset4(0u, (p.first_output + n{c}) * quads + quad));
#endif
#else
    let scale{c} = scale_of(n{c}, group, p.groups);
    var factor{c} = scale{c}.factor;
    var shift{c} = scale{c}.shift;
#if FORM != none
    factor{c} = combine(factor{c}, moved[{c}]);
#if MINIMA_MOVE
    shift{c} = combine(shift{c}, moved[{c}]);
#endif
#endif
#if PLANE == minima
    shift{c} = shift_of(factor{c}, minimum_of(n{c}, group, p.groups, 0u));
#endif
    let w{c} = codes4(n{c}, quad, p.columns, group, p.groups, 0u) * factor{c} + shift{c};
#endif
#endfor
#for r ROWS
    {
      let s = slopes4(min(row0 + {r}u, p.rows - 1u), n);
      sum{r} += s.x * w0 + s.y * w1 + s.z * w2 + s.w * w3;
    }
#endfor
  }
#for r ROWS
  if (row0 + {r}u < p.rows) {
#if ADDS
    y[(row0 + {r}u) * quads + quad] += sum{r};
#else
    y[(row0 + {r}u) * quads + quad] = sum{r};
#endif
  }
#endfor
}
