/**
 * The text of decode_words.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// Codes that lie in words of planes, which scalar, super and column layouts share; what they stand for is the layout's.

#part codes
  let t = quad & 7u;
  let base = (row * (columns / 32u) + (quad >> 3u)) * {BITS}u;
  let shift = (t / {PLANE_BITS}u) * {PLANE_BITS}u;
  var q = (codes[base + t % {PLANE_BITS}u] >> shift) & {MASK}u;
#if TOP_BITS == 1
  q |= ((codes[base + {PLANE_BITS}u] >> t) & 0x01010101u) << {PLANE_BITS}u;
#elif TOP_BITS == 2
  q |= ((codes[base + {PLANE_BITS}u + t % 2u] >> ((t / 2u) * 2u)) & 0x03030303u) << {PLANE_BITS}u;
#endif
#include "decode_{LAYOUT}.wgsl" value
#endpart
`;
export default text;
