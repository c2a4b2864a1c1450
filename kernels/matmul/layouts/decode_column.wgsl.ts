/**
 * The text of decode_column.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// How decode.wgsl reads codes whose every column has its own scale and zero point.

#part functions
#include "code_table.wgsl"

#endpart

#part scale
  return Scale(1.0, 0.0);
#endpart

#part codes
#include "decode_words.wgsl" codes
#endpart

#part value
  return column_values(meaning4(q), codebook[((row % groups) * columns) / 4u + quad]);
#endpart
`;
export default text;
