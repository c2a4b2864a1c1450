/**
 * The text of decode.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// One quad (four neighbouring columns) of a packed tensor, before its scale. See quant/layouts/layout.ts for the planes.\n// Expects `codes`, and for quantised layouts `scales` and `codebook`, to be bound by the including file. Where a plane differs by\n// branch (PLANE), `codebook` holds the f32 entries of each branch, or `minima` the minima and zero points, [B][groups][row_quads].\n\n#include \"decode_{LAYOUT}.wgsl\" functions\n\n#if PLANE == minima\n// What is added after scaling where minima or zero points differ by branch; codes4 then knows neither.\nfn shift_of(factor: f32, minimum: f32) -> f32 {\n#if SECOND == zero\n  return -factor * minimum;\n#elif TANGENT\n  return 0.0;\n#else\n  return minimum;\n#endif\n}\n\nfn minimum_of(row: u32, group: u32, groups: u32, branch: u32) -> f32 {\n  return minima[(branch * groups + group) * p.row_quads + row / 4u][row % 4u];\n}\n#endif\n\nstruct Scale {\n  factor: f32,  // multiplies the centred code\n  shift: f32,   // added after (minimum formats)\n}\n\n// The stored scale of a row and group, and its second value folded into `shift` where it is a minimum. Of super-blocks a\n// group is 32 columns; where they have two scales, and where every column has one, codes4 has applied them.\nfn scale_of(row: u32, group: u32, groups: u32) -> Scale {\n#include \"decode_{LAYOUT}.wgsl\" scale\n}\n\n// Centred codes (or codebook sums of a branch, or dense values) of columns 4 * quad .. 4 * quad + 3.\nfn codes4(row: u32, quad: u32, columns: u32, group: u32, groups: u32, branch: u32) -> vec4<f32> {\n#include \"decode_{LAYOUT}.wgsl\" codes\n}\n";
export default text;
