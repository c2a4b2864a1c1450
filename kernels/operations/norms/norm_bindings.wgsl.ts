/**
 * The text of norm_bindings.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// What a norm with a gain and a bias reads and writes.\n\n#part bindings\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n#if ROW_LIST\n@group(0) @binding(2) var<storage, read> batch: array<u32>;\n#endif\n@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;\n#if GAIN\n@group(0) @binding(4) var<storage, read> gain: array<vec4<f32>>;\n#endif\n#if BIAS\n@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;\n#endif\n\n#include \"rows.wgsl\" sums\n#endpart\n";
export default text;
