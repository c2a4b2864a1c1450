/**
 * The text of decode_dense.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// How decode.wgsl reads dense tensors.

#part bindings
#endpart

#part offset_row
  return row;
#endpart

#part functions

#endpart

#part scale
  return Scale(1.0, 0.0);
#endpart

#part codes
#if DENSE == f32
  let at = (row * (columns / 4u) + quad) * 4u;
  return vec4<f32>(bitcast<f32>(codes[at]), bitcast<f32>(codes[at + 1u]), bitcast<f32>(codes[at + 2u]), bitcast<f32>(codes[at + 3u]));
#else
  let at = (row * (columns / 4u) + quad) * 2u;
  let lo = codes[at];
  let hi = codes[at + 1u];
#if DENSE == f16
  return vec4<f32>(unpack2x16float(lo), unpack2x16float(hi));
#else
  return bitcast<vec4<f32>>(vec4<u32>(lo << 16u, lo & 0xffff0000u, hi << 16u, hi & 0xffff0000u));
#endif
#endif
#endpart
`;
export default text;
