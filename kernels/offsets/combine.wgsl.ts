/**
 * The text of combine.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// base (+) offset: the accessor through which training is seen. Offsets are stored, bases never change.\n\n#if FORM != none && TANGENT\n// The derivative of what is below.\n#if FORM == relative\nfn combine(base: f32, offset: f32) -> f32 { return base * offset; }\nfn combine4(base: vec4<f32>, offset: vec4<f32>) -> vec4<f32> { return base * offset; }\n#else\nfn combine(base: f32, offset: f32) -> f32 { return offset; }\nfn combine4(base: vec4<f32>, offset: vec4<f32>) -> vec4<f32> { return offset; }\n#endif\n#elif FORM == relative\nfn combine(base: f32, offset: f32) -> f32 { return base + base * offset; }\nfn combine4(base: vec4<f32>, offset: vec4<f32>) -> vec4<f32> { return base + base * offset; }\n#elif FORM == absolute\nfn combine(base: f32, offset: f32) -> f32 { return base + offset; }\nfn combine4(base: vec4<f32>, offset: vec4<f32>) -> vec4<f32> { return base + offset; }\n#endif\n";
export default text;
