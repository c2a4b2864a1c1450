// Slopes of a loss by the offsets of a matrix's scales, or of a dense matrix's elements, added to what is there. The slope by a weight,
// sum_m y'[m, n] x[m, k], is formed for four rows and sixteen columns at a time and never stored: it is multiplied by how the weight
// changes with its offset, and summed over the columns (and, where rows share offsets, the rows) of the span.

#include "moved.wgsl"

struct Params {
  rows: u32,          // M
  columns: u32,       // K
  outputs: u32,       // N of this piece
  first_output: u32,
  total_outputs: u32,
  group_columns: u32,
  groups: u32,
  span: u32,          // columns of an offset; dense: of an invocation
  row_quads: u32,     // quads of rows that have offsets of their own
  row_step: u32,      // from a row to the next that shares its offsets
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
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> x: array<vec4<f32>>;
#include "decode_{LAYOUT}.wgsl" bindings

#include "decode.wgsl"

#include "slopes4.wgsl"

#include "weight_change.wgsl"

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * 32u + id.y * (wg.x * 32u) + id.x;
  let row_quad = flat % p.row_quads;
  let span = flat / p.row_quads;
  let quads = p.columns / 4u;
  let first = span * p.span / 4u;
  if (first >= quads) { return; }
  let end = min(first + p.span / 4u, quads);
#if LAYOUT != dense
  var sum = vec4<f32>();
#endif
  for (var n = row_quad * 4u; n < p.outputs; n += p.row_step) {
    for (var quad = first; quad < end; quad += 4u) {
#for c 4
#for i 4
      var w{c}_{i} = vec4<f32>();
#endfor
#endfor
      for (var m = 0u; m < p.rows; m++) {
        let s = slopes4(m, n);
#for i 4
        let x{i} = x[m * quads + min(quad + {i}u, quads - 1u)];
#endfor
#for c 4
#for i 4
        w{c}_{i} += s[{c}] * x{i};
#endfor
#endfor
      }
#for c 4
      if (n + {c}u < p.outputs) {
#for i 4
        if (quad + {i}u < end) {
#if LAYOUT == dense
          gradient[(p.first_output + n + {c}u) * quads + quad + {i}u] += w{c}_{i} * change4(n + {c}u, quad + {i}u);
#else
          sum[{c}] += dot(w{c}_{i}, change4(n + {c}u, quad + {i}u));
#endif
        }
#endfor
      }
#endfor
    }
  }
#if LAYOUT != dense
  gradient[span * p.width + p.first_output % p.row_step / 4u + row_quad] += sum;
#endif
}
