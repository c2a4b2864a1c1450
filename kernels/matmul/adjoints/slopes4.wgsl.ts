/**
 * The text of slopes4.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// The slopes by four neighbouring results of a row, of this piece of the weights; none beyond its edge.\nfn slopes4(row: u32, n: u32) -> vec4<f32> {\n#if VECTOR\n  return slopes[(row * p.total_outputs + p.first_output + n) / 4u];\n#else\n  let at = row * p.total_outputs + p.first_output + n;\n  var value = vec4<f32>();\n#for c 4\n  if (n + {c}u < p.outputs) { value[{c}] = slopes[at + {c}u]; }\n#endfor\n  return value;\n#endif\n}\n";
export default text;
