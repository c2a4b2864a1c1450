/**
 * The text of decode_dense.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// How decode.wgsl reads dense tensors.\n\n#part bindings\n#endpart\n\n#part offset_row\n  return row;\n#endpart\n\n#part functions\n\n#endpart\n\n#part scale\n  return Scale(1.0, 0.0);\n#endpart\n\n#part codes\n#if DENSE == f32\n  let at = (row * (columns / 4u) + quad) * 4u;\n  return vec4<f32>(bitcast<f32>(codes[at]), bitcast<f32>(codes[at + 1u]), bitcast<f32>(codes[at + 2u]), bitcast<f32>(codes[at + 3u]));\n#else\n  let at = (row * (columns / 4u) + quad) * 2u;\n  let lo = codes[at];\n  let hi = codes[at + 1u];\n#if DENSE == f16\n  return vec4<f32>(unpack2x16float(lo), unpack2x16float(hi));\n#else\n  return bitcast<vec4<f32>>(vec4<u32>(lo << 16u, lo & 0xffff0000u, hi << 16u, hi & 0xffff0000u));\n#endif\n#endif\n#endpart\n";
export default text;
