/**
 * The text of soft_cap.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// cap * tanh(x / cap): by a series near zero and by exp elsewhere, because adapters' tanh is off by up to 1e-5 and not finite far out.\nfn soft_cap(x: f32, cap: f32) -> f32 {\n  let u = x / cap;\n  let v = u * u;\n  let near = u * (1.0 + v * (-0.3333333333 + v * (0.1333333333 + v * (-0.0539682540 + v * 0.0218694885))));\n  let e = exp(-2.0 * abs(u));\n  return cap * select(sign(u) * (1.0 - e) / (1.0 + e), near, abs(u) < 0.25);\n}\n";
export default text;
