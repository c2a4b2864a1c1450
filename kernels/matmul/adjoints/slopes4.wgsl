// The slopes by four neighbouring results of a row, of this piece of the weights; none beyond its edge.
fn slopes4(row: u32, n: u32) -> vec4<f32> {
#if VECTOR
  return slopes[(row * p.total_outputs + p.first_output + n) / 4u];
#else
  let at = row * p.total_outputs + p.first_output + n;
  var value = vec4<f32>();
#for c 4
  if (n + {c}u < p.outputs) { value[{c}] = slopes[at + {c}u]; }
#endfor
  return value;
#endif
}
