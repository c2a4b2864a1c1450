/**
 * The text of layer_norm.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// y[r, :] = (x[row(r), :] - mean) / sqrt(variance + eps) * gain_b + bias_b. With ROW_LIST only the listed rows of each branch are\n// normalised and written compactly: the positions that the loss needs.\n\nstruct Params {\n  rows: u32,        // output rows of one branch\n  quads: u32,       // of a row\n  in_rows: u32,     // input rows of one branch\n  list: u32,        // where the row list starts in the batch\n  branches: u32,\n  gain_stride: u32, // quads from one branch's gain to the next; 0: all have the same\n  bias_stride: u32,\n  epsilon: f32,\n}\n\n#include \"norm_bindings.wgsl\" bindings\n\n#include \"rows.wgsl\" main\n  let b = min(row / p.rows, p.branches - 1u);\n#if ROW_LIST\n  let source = (b * p.in_rows + batch[p.list + row % p.rows]) * p.quads;\n#else\n  let source = min(row, p.rows * p.branches - 1u) * p.quads;\n#endif\n  let columns = f32(p.quads * 4u);\n  var sum = 0.0;\n  for (var k = lane; k < p.quads; k += LANES) { sum += dot(x[source + k], vec4(1.0)); }\n  let mean = total(lane, sum) / columns;\n  var squares = 0.0;\n  for (var k = lane; k < p.quads; k += LANES) {\n    let d = x[source + k] - mean;\n    squares += dot(d, d);\n  }\n  let factor = inverseSqrt(total(lane, squares) / columns + p.epsilon);\n  if (!live) { return; }\n  for (var k = lane; k < p.quads; k += LANES) {\n    var value = (x[source + k] - mean) * factor;\n#if GAIN\n    value *= gain[b * p.gain_stride + k];\n#endif\n#if BIAS\n    value += bias[b * p.bias_stride + k];\n#endif\n    y[row * p.quads + k] = value;\n  }\n}\n";
export default text;
