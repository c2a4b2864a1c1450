// Rows normalised, with their tangents. With n = x r, r the inverse root of the mean square (CENTRED: of x less its mean), y = g n + b and
// y' = g r (x' - n mean(n x')) + g' n + b'; CENTRED, x' less its mean. With ROW_LIST only the listed rows of each branch, compactly.

struct Params {
  rows: u32,        // output rows of one branch
  quads: u32,       // of a row
  in_rows: u32,     // input rows of one branch
  list: u32,        // where the row list starts in the batch
  branches: u32,
  epsilon: f32,
}

// gain and bias: of the first branch and, where they are trained (MOVES), of the tangents behind it.
#include "norm_bindings.wgsl" bindings

#include "rows.wgsl" main
  let b = min(row / p.rows, p.branches - 1u);
#if ROW_LIST
  let m = batch[p.list + row % p.rows];
#else
  let m = row % p.rows;
#endif
  let source = m * p.quads;
  let moved = (b * p.in_rows + m) * p.quads;
  let columns = f32(p.quads * 4u);
  var mean = 0.0;
  var moved_mean = 0.0;
#if CENTRED
  var sum = 0.0;
  var moved_sum = 0.0;
  for (var k = lane; k < p.quads; k += LANES) {
    sum += dot(x[source + k], vec4(1.0));
    moved_sum += dot(x[moved + k], vec4(1.0));
  }
  mean = total(lane, sum) / columns;
  moved_mean = total(lane, moved_sum) / columns;
#endif
  var squares = 0.0;
  var products = 0.0;
  for (var k = lane; k < p.quads; k += LANES) {
    let d = x[source + k] - mean;
    squares += dot(d, d);
    products += dot(d, x[moved + k] - moved_mean);
  }
  let factor = inverseSqrt(total(lane, squares) / columns + p.epsilon);
  // mean(n x')
  let along = total(lane, products) / columns * factor;
  if (!live) { return; }
  for (var k = lane; k < p.quads; k += LANES) {
    let n = (x[source + k] - mean) * factor;
    var value = n;
    if (b != 0u) { value = factor * (x[moved + k] - moved_mean - n * along); }
#if GAIN
    value *= gain[k];
#if GAIN_MOVES
    if (b != 0u) { value += gain[b * p.quads + k] * n; }
#endif
#endif
#if BIAS
#if BIAS_MOVES
    value += bias[b * p.quads + k];
#else
    if (b == 0u) { value += bias[k]; }
#endif
#endif
    y[row * p.quads + k] = value;
  }
}
