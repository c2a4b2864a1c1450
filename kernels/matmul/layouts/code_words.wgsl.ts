/**
 * The text of code_words.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Packed codes as a product reads them: CODE_WORDS words at once.\n\n#part binding\n#if CODE_WORDS == 4\n@group(0) @binding(1) var<storage, read> codes: array<vec4<u32>>;\n#elif CODE_WORDS == 2\n@group(0) @binding(1) var<storage, read> codes: array<vec2<u32>>;\n#else\n@group(0) @binding(1) var<storage, read> codes: array<u32>;\n#endif\n#endpart\n";
export default text;
