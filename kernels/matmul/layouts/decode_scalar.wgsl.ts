/**
 * The text of decode_scalar.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// How decode.wgsl reads codes with a scale per group, beside a zero point or minimum.\n\n// What is bound besides the codes, and the row of the offsets that belong to a row of the tensor.\n#part bindings\n#include \"scale_words.wgsl\" binding\n#if PLANE == minima\n// By branch, [B][groups][row_quads].\n@group(0) @binding(5) var<storage, read> minima: array<vec4<f32>>;\n#endif\n#endpart\n\n#part offset_row\n  return row;\n#endpart\n\n#part functions\n#include \"code_table.wgsl\"\n\n#include \"scale_words.wgsl\" half_at\n#endpart\n\n#part scale\n#if SECOND == none\n  return Scale(half_at(row * groups + group), 0.0);\n#elif SECOND == zero\n  return Scale(unpack2x16float(scales[row * groups + group]).x, 0.0);\n#else\n  let pair = unpack2x16float(scales[row * groups + group]);\n  return Scale(pair.x, pair.y);\n#endif\n#endpart\n\n#part codes\n#include \"decode_words.wgsl\" codes\n#endpart\n\n#part value\n#if SECOND == zero && PLANE == none\n  return meaning4(q) - unpack2x16float(scales[row * groups + group]).y;\n#else\n  return meaning4(q);\n#endif\n#endpart\n";
export default text;
