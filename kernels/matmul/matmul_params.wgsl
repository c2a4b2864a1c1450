// The parameters of every matrix product; see matmul.ts.

struct Params {
  rows: u32,            // M: rows of one branch
  columns: u32,         // K
  outputs: u32,         // N of this piece of the tensor
  first_output: u32,    // where the piece starts in the whole tensor
  total_outputs: u32,   // N of the whole tensor: row stride of y
  unit_columns: u32,    // columns a partial dot product covers
  units: u32,           // units in a row
  units_per_group: u32,
  units_per_span: u32,
  groups: u32,          // scale groups in a row; LAYOUT == column: classes of rows
  tensor: u32,          // these three: see bindPerturbation
  traits: u32,
  width: u32,           // quads of offsets between spans
  row_tiles: u32,       // row tiles of one branch
  total_rows: u32,      // B * M
  column_tiles: u32,
  first_row: u32,       // WINDOW == rows: those (of all branches) of this dispatch, all of one branch
  end_row: u32,
  row_quads: u32,       // PLANE == minima: quads of rows of this piece
  first_group: u32,     // of a dispatch that is split: its first workgroup
}

@group(0) @binding(0) var<uniform> p: Params;
// A software adapter spends a loop over lanes on every load, whatever its width: it reads CODE_WORDS words at once.
#include "code_words.wgsl" binding
#if WINDOW != none
// A software adapter reads a uniform buffer with a few instructions, a storage buffer with a loop over lanes.
@group(0) @binding(2) var<uniform> x: array<vec4<f32>, 4096>;
#if FUSED && WINDOW == rows
// The tangents of those rows.
@group(0) @binding(10) var<uniform> moved_x: array<vec4<f32>, 4096>;
#endif
#else
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
#include "decode_{LAYOUT}.wgsl" bindings
#if BIAS
@group(0) @binding(6) var<storage, read> bias: array<f32>;
#endif
#if RESIDUAL
@group(0) @binding(7) var<storage, read> residual: array<f32>;
#endif

// The row of the offsets that belong to a row of the tensor: its class, or itself.
fn offset_row_of(row: u32) -> u32 {
#include "decode_{LAYOUT}.wgsl" offset_row
}

// The row of the offsets that belong to output `n` of this piece.
fn offset_row(n: u32) -> u32 {
  return offset_row_of(p.first_output + n);
}

// The result of row `row` (of all branches) and column `n` of this piece: adds bias and residual and stores.
fn store(row: u32, n: u32, sum: f32) {
#if ADDS
  y[(p.rows + row) * p.total_outputs + p.first_output + n] += sum;
#else
  let at = row * p.total_outputs + p.first_output + n;
  var value = sum;
#if BIAS_BY_BRANCH
  value += bias[(row / p.rows) * p.total_outputs + p.first_output + n];
#elif BIAS
  value += bias[p.first_output + n];
#endif
#if RESIDUAL
  value += residual[at];
#endif
  y[at] = value;
#endif
}
