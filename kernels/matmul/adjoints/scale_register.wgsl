// Slopes of a loss by the offsets of a matrix's scales, added to what is there: sum_m y'[m, n] p[m, n, u], where p is the partial dot product
// over a unit of columns that the product itself is made of. An invocation takes COLS outputs by the units of an offset's span, and goes over
// the rows ROWS at a time; weights stay packed and their slopes are never formed.

#include "moved.wgsl"

struct Params {
  rows: u32,          // M
  columns: u32,       // K
  outputs: u32,       // N of this piece
  first_output: u32,
  total_outputs: u32,
  unit_columns: u32,  // columns that share a scale and an offset: a multiple of a block
  units: u32,
  units_per_group: u32,
  units_per_span: u32,
  groups: u32,
  row_quads: u32,     // PLANE == minima: quads of rows of this piece
  column_tiles: u32,
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
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> x: array<vec4<f32>>;
#include "decode_{LAYOUT}.wgsl" bindings

#include "register_{LAYOUT}.wgsl" functions

#include "slopes4.wgsl"

@compute @workgroup_size({WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * {WORKGROUP}u + id.y * (wg.x * {WORKGROUP}u) + id.x;
  let column0 = flat % p.column_tiles * COLS;
  let span = flat / p.column_tiles;
  let quads = p.columns / 4u;
  let blocks = p.columns / 32u;
  let unit_blocks = p.unit_columns / 32u;
  var u = span * p.units_per_span;
  if (u >= p.units) { return; }
  let end_unit = min(u + p.units_per_span, p.units);
  let b = 0u;
#for c COLS
  let n{c} = min(column0 + {c}u, p.outputs - 1u);
  var total{c} = 0.0;
#endfor
  loop {
#if SCALE_UNITS != 1
    let held_unit = u / SCALE_UNITS * SCALE_UNITS;
#for c COLS
#include "register_{LAYOUT}.wgsl" held
#endfor
#endif
#include "register_{LAYOUT}.wgsl" scales
#for c COLS
    var part{c} = 0.0;
#if MINIMA_MOVE
    var shift{c} = 0.0;
#endif
#endfor
    let last = min((u + 1u) * unit_blocks, blocks);
    var row0 = 0u;
    loop {
#for r ROWS
      let x{r} = min(row0 + {r}u, p.rows - 1u) * quads;
#if SECOND == min
      var sum{r} = 0.0;
#endif
#for c COLS
      var p{r}_{c} = 0.0;
#endfor
#endfor
      var block = u * unit_blocks;
      loop {
#include "register_{LAYOUT}.wgsl" block
        block++;
        if (block >= last) { break; }
      }
#for r ROWS
      {
        // Rows beyond the last repeat it and count for nothing.
        let live = select(0.0, 1.0, row0 + {r}u < p.rows);
#for q COL_QUADS
        {
          let s = slopes4(min(row0 + {r}u, p.rows - 1u), min(column0 + {q*4}u, (p.outputs - 1u) / 4u * 4u)) * live;
#for i 4
          part{q*4+i} += s[{i}] * p{r}_{q*4+i};
#if MINIMA_MOVE
          shift{q*4+i} += s[{i}] * sum{r};
#endif
#endfor
        }
#endfor
      }
#endfor
      row0 += ROWS;
      if (row0 >= p.rows) { break; }
    }
#for c COLS
    {
#if FORM == relative
#include "register_{LAYOUT}.wgsl" base
#if MINIMA_MOVE
      total{c} += base * part{c} + second{c} * shift{c};
#else
      total{c} += base * part{c};
#endif
#else
      total{c} += part{c};
#endif
    }
#endfor
    u++;
    if (u >= end_unit) { break; }
  }
  let at = span * p.width + (p.first_output + column0) / 4u;
#for q COL_QUADS
  if (column0 + {q*4}u < p.outputs) {
    gradient[at + {q}u] += select(
      vec4<f32>(),
      vec4<f32>(total{q*4}, total{q*4+1}, total{q*4+2}, total{q*4+3}),
      vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.outputs - column0 - {q*4}u),
    );
  }
#endfor
}
