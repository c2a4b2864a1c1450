/**
 * The text of weight_change.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// How four weights change with the offset of their scale; of a dense tensor with their own. For files that include decode.wgsl.\n\nfn change4(n: u32, quad: u32) -> vec4<f32> {\n#if LAYOUT == dense\n#if FORM == relative\n  return codes4(n, quad, p.columns, 0u, 0u, 0u);\n#else\n  return vec4<f32>(1.0);\n#endif\n#else\n  let group = quad * 4u / p.group_columns;\n  let value = codes4(n, quad, p.columns, group, p.groups, 0u);\n#if FORM == relative\n  let scale = scale_of(n, group, p.groups);\n#if PLANE == minima && SECOND == zero\n  return value * scale.factor + shift_of(scale.factor, minimum_of(n, group, p.groups, 0u));\n#elif MINIMA_MOVE\n  return value * scale.factor + scale.shift;\n#else\n  return value * scale.factor;\n#endif\n#elif PLANE == minima && SECOND == zero\n  return value + shift_of(1.0, minimum_of(n, group, p.groups, 0u));\n#else\n  return value;\n#endif\n#endif\n}\n";
export default text;
