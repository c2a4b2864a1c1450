// y[b, m, n] = sum_k W_b[n, k] x[b, m, k] (+ bias[n]) (+ residual[b, m, n])
//
// A register tile of ROWS x COLS per invocation, no workgroup memory: what a software adapter wants. Weights stay packed; a
// block of 32 columns is BITS words a row (see quant/layouts/layout.ts). Per unit of columns (the finer of scale group and offset
// span) one partial dot product per row and column is formed, then scaled by that branch's scale: the perturbation costs
// one multiply-add a group, not a weight.
//
// Loops end with their test: a software adapter runs the body once more, masked, after a test at the top has failed, which
// for the short loops of a block costs as much as the work.
//
// Layouts: x [B][M][K], y [B][M][N], offsets [span][stride].

#include "moved.wgsl"

#include "matmul_params.wgsl"
#include "register_{LAYOUT}.wgsl" functions

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * WORKGROUP + id.y * (wg.x * WORKGROUP) + id.x;
  let column0 = (flat % p.column_tiles) * COLS;
  let row_tile = flat / p.column_tiles;
#if MIXED
  // Few rows: the tile takes all branches' rows, each with its own branch.
  let row0 = row_tile * ROWS;
  if (row0 >= p.total_rows) { return; }
  let row_end = p.total_rows;
#elif FUSED && WINDOW == rows
  // Half a tile of rows that fit a uniform binding, and their tangents along one direction.
  let b = p.first_row / p.rows;
  let row0 = p.first_row + row_tile * HALF;
  if (row0 >= p.end_row) { return; }
  let row_end = p.end_row;
#elif FUSED
  // Half a tile of rows of the first branch, and their tangents along direction b.
  let b = row_tile / p.row_tiles;
  let row0 = b * p.rows + (row_tile % p.row_tiles) * HALF;
  if (b * p.rows >= p.total_rows) { return; }
  let row_end = (b + 1u) * p.rows;
#elif WINDOW == rows
  // Rows that fit a uniform binding: one branch, a few tiles.
  let b = p.first_row / p.rows;
  let row0 = p.first_row + row_tile * ROWS;
  if (row0 >= p.end_row) { return; }
  let row_end = p.end_row;
#else
  // Many rows: a tile stays within one branch.
  let b = row_tile / p.row_tiles;
  let row0 = b * p.rows + (row_tile % p.row_tiles) * ROWS;
  if (b * p.rows >= p.total_rows) { return; }
  let row_end = (b + 1u) * p.rows;
#endif
  let quads = p.columns / 4u;
  // Rows and columns beyond the edge repeat the last one; they are computed and not stored.
#if FUSED
#for r HALF
#if WINDOW == rows
  let x{r} = (min(row0 + {r}u, row_end - 1u) - p.first_row) * quads;
#else
  let x{r} = (min(row0 + {r}u, row_end - 1u) - b * p.rows) * quads;
  let x{r+HALF} = (min(row0 + {r}u, row_end - 1u) + p.rows) * quads;
#endif
#endfor
#else
#for r ROWS
#if WINDOW == rows
  let x{r} = (min(row0 + {r}u, row_end - 1u) - p.first_row) * quads;
#elif ADDS
  // All of the first branch.
  let x{r} = (min(row0 + {r}u, row_end - 1u) - b * p.rows) * quads;
#else
  let x{r} = min(row0 + {r}u, row_end - 1u) * quads;
#endif
#endfor
#endif
#if NOISE
  // Read once: a load costs a software adapter as much as dozens of operations.
#if MIXED
#for r ROWS
  let branch{r} = branches[min(row0 + {r}u, row_end - 1u) / p.rows];
#endfor
#if LAYOUT != dense
  var seeds = 1u;
#for r ROWS
  seeds = select(seeds, {ROWS}u, any(branch{r}.seed != branch0.seed));
#endfor
#endif
#elif TANGENT
  let branch = branches[b + 1u];
#elif FUSED
  let branch = branches[b + 1u];
#else
  let branch = branches[b];
#endif
#endif
#for c COLS
  let n{c} = min(column0 + {c}u, p.outputs - 1u);
#endfor
#for r ROWS
#for c COLS
  var acc{r}_{c} = 0.0;
#endfor
#endfor

#if LAYOUT == dense
#include "register_dense.wgsl" loop
#else
  let blocks = p.columns / 32u;
  let unit_blocks = p.unit_columns / 32u;
#if FORM != none
  // Counted, since a division costs a software adapter as much as the noise. First: where the span begins, in quads.
  var units_left = 0u;
  var first = 0u;
#for q COL_QUADS
  let row_quad{q} = offset_row(column0 + {q*4}u) / 4u;
#endfor
  // Four neighbouring columns share one call of the generator.
#if MIXED && NOISE
#for r ROWS
  var offset{r} = array<vec4<f32>, {COL_QUADS}>();
#endfor
#else
  var offset = array<vec4<f32>, {COL_QUADS}>();
#if FUSED
  var along = array<vec4<f32>, {COL_QUADS}>();
#endif
#endif
#endif
#if SCALE_UNITS != 1
  var held_unit = 0u;
  loop {
#for c COLS
#include "register_{LAYOUT}.wgsl" held
#endfor
  var u = held_unit;
#else
  var u = 0u;
#endif
  loop {
#if FORM != none
    if (units_left == 0u) {
      units_left = p.units_per_span;
#for q COL_QUADS
      {
        let w = offsets[first + row_quad{q}];
#if MIXED && NOISE
#if ROWS == 1
        offset0[{q}] = moved4(w, branch0, first + row_quad{q});
#else
        // Once for all rows when they share the seed: a loop, since software adapters run both sides of an if.
        var s = 0u;
        loop {
          var seed = branch0.seed;
#for r ROWS
          seed = select(seed, branch{r}.seed, s == {r}u);
#endfor
          let z = drawn4(w, seed, first + row_quad{q});
#for r ROWS
          offset{r}[{q}] = select(offset{r}[{q}], w + branch{r}.amplitude * z, seeds == 1u || s == {r}u);
#endfor
          s++;
          continuing {
            break if s >= seeds;
          }
        }
#endif
#elif FUSED
        offset[{q}] = w;
        along[{q}] = branch.amplitude * drawn4(w, branch.seed, first + row_quad{q});
#elif NOISE
        offset[{q}] = moved4(w, branch, first + row_quad{q});
#else
        offset[{q}] = w;
#endif
      }
#endfor
      first += p.width;
    }
    units_left--;
#endif
#for r ROWS
#for c COLS
    var p{r}_{c} = 0.0;
#endfor
#if SECOND == min
    var sum{r} = 0.0;
#endif
#endfor
#include "register_{LAYOUT}.wgsl" scales
#if UNIT_BLOCKS == 1
    let block = u;
    {
#else
    let last = min((u + 1u) * unit_blocks, blocks);
    var block = u * unit_blocks;
    loop {
#endif
#include "register_{LAYOUT}.wgsl" block
#if UNIT_BLOCKS != 1
      block++;
      if (block >= last) { break; }
#endif
    }
#for c COLS
    {
#include "register_{LAYOUT}.wgsl" base
#if FUSED
      // W x, and W x' + W' x.
      let factor = combine(base, offset[{c} / 4][{c} % 4]);
#if FORM == relative
      let change = base * along[{c} / 4][{c} % 4];
#else
      let change = along[{c} / 4][{c} % 4];
#endif
#if MINIMA_MOVE
      let shift = combine(second{c}, offset[{c} / 4][{c} % 4]);
      let shift_change = second{c} * along[{c} / 4][{c} % 4];
#endif
#for r HALF
#if MINIMA_MOVE
      acc{r}_{c} += factor * p{r}_{c} + shift * sum{r};
      acc{r+HALF}_{c} += factor * p{r+HALF}_{c} + shift * sum{r+HALF} + change * p{r}_{c} + shift_change * sum{r};
#elif SECOND == min
      acc{r}_{c} += factor * p{r}_{c} + second{c} * sum{r};
      acc{r+HALF}_{c} += factor * p{r+HALF}_{c} + second{c} * sum{r+HALF} + change * p{r}_{c};
#else
      acc{r}_{c} += factor * p{r}_{c};
      acc{r+HALF}_{c} += factor * p{r+HALF}_{c} + change * p{r}_{c};
#endif
#endfor
#else
#for r ROWS
      {
#if MINIMA_MOVE
        // Offsets multiply scale and minimum alike.
        let part = base * p{r}_{c} + second{c} * sum{r};
#if MIXED && NOISE
        acc{r}_{c} += combine(part, offset{r}[{c} / 4][{c} % 4]);
#else
        acc{r}_{c} += combine(part, offset[{c} / 4][{c} % 4]);
#endif
#else
#if FORM == none
        let factor = base;
#elif MIXED && NOISE
        let factor = combine(base, offset{r}[{c} / 4][{c} % 4]);
#else
        let factor = combine(base, offset[{c} / 4][{c} % 4]);
#endif
#if SECOND == min && !TANGENT
        acc{r}_{c} += factor * p{r}_{c} + second{c} * sum{r};
#else
        acc{r}_{c} += factor * p{r}_{c};
#endif
#endif
      }
#endfor
#endif
    }
#endfor
    u++;
#if SCALE_UNITS != 1
#include "register_{LAYOUT}.wgsl" held_end
  }
    held_unit += SCALE_UNITS;
    if (held_unit >= p.units) { break; }
  }
#else
    if (u >= p.units) { break; }
  }
#endif
#endif

#if FUSED
  let own = row0 - b * p.rows;
#for r HALF
  if (row0 + {r}u < row_end) {
    // The value is the same for all directions.
    let at = (own + {r}u) * p.total_outputs + p.first_output + column0;
    let moved_at = at + (b + 1u) * p.rows * p.total_outputs;
#for c COLS
    if (column0 + {c}u < p.outputs) {
      var value = acc{r}_{c};
      var moved = acc{r+HALF}_{c};
#if BIAS_BY_BRANCH
      value += bias[p.first_output + column0 + {c}u];
      moved += bias[(b + 1u) * p.total_outputs + p.first_output + column0 + {c}u];
#endif
#if RESIDUAL
      value += residual[at + {c}u];
      moved += residual[moved_at + {c}u];
#endif
      if (b == 0u) { y[at + {c}u] = value; }
      y[moved_at + {c}u] = moved;
    }
#endfor
  }
#endfor
#else
#for r ROWS
  if (row0 + {r}u < row_end) {
#if ADDS
    let at = (p.rows + row0 + {r}u) * p.total_outputs + p.first_output + column0;
#else
    let at = (row0 + {r}u) * p.total_outputs + p.first_output + column0;
#endif
#for c COLS
    if (column0 + {c}u < p.outputs) {
      var value = acc{r}_{c};
#if BIAS_BY_BRANCH
      value += bias[((row0 + {r}u) / p.rows) * p.total_outputs + p.first_output + column0 + {c}u];
#elif BIAS
      value += bias[p.first_output + column0 + {c}u];
#endif
#if RESIDUAL
      value += residual[at + {c}u];
#endif
#if ADDS
      y[at + {c}u] += value;
#else
      y[at + {c}u] = value;
#endif
    }
#endfor
  }
#endfor
#endif
}
