/**
 * The text of decode_codebook.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// How decode.wgsl reads codes of vectors in additive codebooks.\n\n#part bindings\n@group(0) @binding(4) var<storage, read> scales: array<u32>;\n#if PLANE == codebook\n// By branch.\n#if SMALL_PLANE && CODE_WORDS != 0\n@group(0) @binding(5) var<uniform> codebook: array<vec4<f32>, {PLANE_QUADS}>;\n#else\n@group(0) @binding(5) var<storage, read> codebook: array<vec4<f32>>;\n#endif\n#elif CODE_WORDS == 0\n@group(0) @binding(5) var<storage, read> codebook: array<vec2<u32>>;\n#elif SMALL_BOOKS\n@group(0) @binding(5) var<uniform> codebook: array<vec4<u32>, {BOOKS*ENTRIES*VECTOR_OCTETS}>;\n#else\n@group(0) @binding(5) var<storage, read> codebook: array<vec4<u32>>;\n#endif\n#endpart\n\n#part offset_row\n  return row;\n#endpart\n\n#part functions\n\n#include \"scale_words.wgsl\" half_at\n#endpart\n\n#part scale\n  return Scale(half_at(row), 0.0);\n#endpart\n\n#part codes\n  let vector = quad / VECTOR_QUADS;\n  let at = (row * (columns / {VECTOR_QUADS*WORD_VECTORS*4}u) + vector / WORD_VECTORS) * BOOKS;\n  let shift = (vector % WORD_VECTORS) * CODE_WIDTH;\n  var sum = vec4<f32>();\n  for (var book = 0u; book < {BOOKS}u; book++) {\n    let code = (codes[at + book] >> shift) & (ENTRIES - 1u);\n#if PLANE == codebook\n    sum += codebook[((branch * BOOKS + book) * ENTRIES + code) * VECTOR_QUADS + quad % VECTOR_QUADS];\n#else\n    let entry = codebook[(book * ENTRIES + code) * VECTOR_QUADS + quad % VECTOR_QUADS];\n    sum += vec4<f32>(unpack2x16float(entry.x), unpack2x16float(entry.y));\n#endif\n  }\n  return sum;\n#endpart\n";
export default text;
