/**
 * The text of finite.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// By bits: a shader may assume that comparisons never see NaN.\nfn is_finite(value: f32) -> bool {\n  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;\n}\n";
export default text;
