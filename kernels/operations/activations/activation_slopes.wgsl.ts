/**
 * The text of activation_slopes.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Functions of single elements and their derivatives, by KIND. The values are those of the functions' own shaders.\n\nstruct Activation {\n  value: vec4<f32>,\n  slope: vec4<f32>,\n}\n\n#if KIND == silu\nfn activation(v: vec4<f32>) -> Activation {\n  let s = 1.0 / (1.0 + exp(-v));\n  return Activation(v / (1.0 + exp(-v)), s * (1.0 + v * (1.0 - s)));\n}\n#elif KIND == relu\nfn activation(v: vec4<f32>) -> Activation {\n  return Activation(select(v, vec4(0.0), v < vec4(0.0)), select(vec4(0.0), vec4(1.0), v > vec4(0.0)));\n}\n#elif KIND == gelu_tanh\nfn activation(v: vec4<f32>) -> Activation {\n  let u = 0.7978845608028654 * (v + 0.044715 * v * v * v);\n  let s = 1.0 / (1.0 + exp(-2.0 * u));\n  let slope = 0.7978845608028654 * (1.0 + 0.134145 * v * v);\n  return Activation(v / (1.0 + exp(-2.0 * u)), s + 2.0 * v * s * (1.0 - s) * slope);\n}\n#else\nfn activation(v: vec4<f32>) -> Activation {\n  let z = abs(v) * 0.7071067811865476;\n  let t = 1.0 / (1.0 + 0.3275911 * z);\n  let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));\n  let bell = exp(-z * z);\n  let below = 0.5 * poly * bell;\n  let normal = select(below, 1.0 - below, v > vec4(0.0));\n  let tail = 0.5 * v * poly * bell;\n  return Activation(select(tail, v - tail, v > vec4(0.0)), normal + v * bell * 0.3989422804014327);\n}\n#endif\n";
export default text;
