/**
 * The text of register_column.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// What codes whose every column has its own scale and zero point are to a register tile. See register_scalar.wgsl for what each part\n// is.\n\n#part functions\n#include \"code_table.wgsl\"\n\n#endpart\n\n#part scales\n#endpart\n\n#part block\n#include \"register_words.wgsl\" block\n#endpart\n\n#part value\n          let v{c} = column_values(meaning4(i{c}), codebook[(n{c} % p.groups) * quads + k]);\n#endpart\n\n#part base\n      let base = 1.0;\n#endpart\n";
export default text;
