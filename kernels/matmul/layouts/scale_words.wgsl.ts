/**
 * The text of scale_words.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Scales that lie in words, two f16 a word: what scalar, super and codebook layouts share.\n\n#part binding\n#if SCALE_VECTOR\n@group(0) @binding(4) var<storage, read> scales: array<vec4<u32>>;\n#else\n@group(0) @binding(4) var<storage, read> scales: array<u32>;\n#endif\n#endpart\n\n#part half_at\nfn half_at(index: u32) -> f32 {\n  return unpack2x16float(scales[index >> 1u] >> ((index & 1u) * 16u)).x;\n}\n#endpart\n";
export default text;
