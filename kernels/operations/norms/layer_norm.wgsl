// y[r, :] = (x[row(r), :] - mean) / sqrt(variance + eps) * gain_b + bias_b. With ROW_LIST only the listed rows of each branch are
// normalised and written compactly: the positions that the loss needs.

struct Params {
  rows: u32,        // output rows of one branch
  quads: u32,       // of a row
  in_rows: u32,     // input rows of one branch
  list: u32,        // where the row list starts in the batch
  branches: u32,
  gain_stride: u32, // quads from one branch's gain to the next; 0: all have the same
  bias_stride: u32,
  epsilon: f32,
}

#include "norm_bindings.wgsl" bindings

#include "rows.wgsl" main
  let b = min(row / p.rows, p.branches - 1u);
#if ROW_LIST
  let source = (b * p.in_rows + batch[p.list + row % p.rows]) * p.quads;
#else
  let source = min(row, p.rows * p.branches - 1u) * p.quads;
#endif
  let columns = f32(p.quads * 4u);
  var sum = 0.0;
  for (var k = lane; k < p.quads; k += LANES) { sum += dot(x[source + k], vec4(1.0)); }
  let mean = total(lane, sum) / columns;
  var squares = 0.0;
  for (var k = lane; k < p.quads; k += LANES) {
    let d = x[source + k] - mean;
    squares += dot(d, d);
  }
  let factor = inverseSqrt(total(lane, squares) / columns + p.epsilon);
  if (!live) { return; }
  for (var k = lane; k < p.quads; k += LANES) {
    var value = (x[source + k] - mean) * factor;
#if GAIN
    value *= gain[b * p.gain_stride + k];
#endif
#if BIAS
    value += bias[b * p.bias_stride + k];
#endif
    y[row * p.quads + k] = value;
  }
}
