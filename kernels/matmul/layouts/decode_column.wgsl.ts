/**
 * The text of decode_column.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// How decode.wgsl reads codes whose every column has its own scale and zero point.\n\n#part bindings\n// Scale and zero point by class and column.\n@group(0) @binding(5) var<storage, read> codebook: array<vec4<u32>>;\n#endpart\n\n#part offset_row\n  return row % p.groups;\n#endpart\n\n#part functions\n#include \"code_table.wgsl\"\n\n#endpart\n\n#part scale\n  return Scale(1.0, 0.0);\n#endpart\n\n#part codes\n#include \"decode_words.wgsl\" codes\n#endpart\n\n#part value\n  return column_values(meaning4(q), codebook[((row % groups) * columns) / 4u + quad]);\n#endpart\n";
export default text;
