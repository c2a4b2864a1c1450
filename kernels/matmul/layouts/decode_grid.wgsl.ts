/**
 * The text of decode_grid.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// Codes that are points of a grid, with signs.

#part codes
  let t = quad & 7u;
  let block = quad >> 3u;
  let base = (row * (columns / 32u) + block) * {BITS}u;
#if HIGH_WIDTH == 0
  let high = 0u;
#else
  let bit = (block & 7u) * HIGH_WIDTH;
  let high = scales[(row * (columns / 256u) + (block >> 3u)) * {SUPER_WORDS}u + (bit >> 5u)] >> (bit & 31u);
#endif
  let i = t / POINT_QUADS;
  let point = grid_point((codes[base + (i >> 2u)] >> (8u * (i & 3u))) & 255u, high, i) >> (8u * (t % POINT_QUADS));
#if SIGNS
  let value = grid4(point, codes[base + {BITS-1}u] >> (4u * t), high, i);
#else
  let value = grid4(point, 0u, high, i);
#endif
#if SUPER_GROUP == 16
  let both = super_scales_at(row, block, columns / 32u);
  return value * select(both.x, both.y, t > 3u);
#else
  return value;
#endif
#endpart
`;
export default text;
