/**
 * The text of register_column.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// What codes whose every column has its own scale and zero point are to a register tile. See register_scalar.wgsl for what each part
// is.

#part functions
#include "code_table.wgsl"

#endpart

#part scales
#endpart

#part block
#include "register_words.wgsl" block
#endpart

#part value
          let v{c} = column_values(meaning4(i{c}), codebook[(n{c} % p.groups) * quads + k]);
#endpart

#part base
      let base = 1.0;
#endpart
`;
export default text;
