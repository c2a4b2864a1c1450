/**
 * The text of decode_grid.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Codes that are points of a grid, with signs.\n\n#part codes\n  let t = quad & 7u;\n  let block = quad >> 3u;\n  let base = (row * (columns / 32u) + block) * {BITS}u;\n#if HIGH_WIDTH == 0\n  let high = 0u;\n#else\n  let bit = (block & 7u) * HIGH_WIDTH;\n  let high = scales[(row * (columns / 256u) + (block >> 3u)) * {SUPER_WORDS}u + (bit >> 5u)] >> (bit & 31u);\n#endif\n  let i = t / POINT_QUADS;\n  let point = grid_point((codes[base + (i >> 2u)] >> (8u * (i & 3u))) & 255u, high, i) >> (8u * (t % POINT_QUADS));\n#if SIGNS\n  let value = grid4(point, codes[base + {BITS-1}u] >> (4u * t), high, i);\n#else\n  let value = grid4(point, 0u, high, i);\n#endif\n#if SUPER_GROUP == 16\n  let both = super_scales_at(row, block, columns / 32u);\n  return value * select(both.x, both.y, t > 3u);\n#else\n  return value;\n#endif\n#endpart\n";
export default text;
