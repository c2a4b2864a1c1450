/**
 * The text of decode_words.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Codes that lie in words of planes, which scalar, super and column layouts share; what they stand for is the layout's.\n\n#part codes\n  let t = quad & 7u;\n  let base = (row * (columns / 32u) + (quad >> 3u)) * {BITS}u;\n  let shift = (t / {PLANE_BITS}u) * {PLANE_BITS}u;\n  var q = (codes[base + t % {PLANE_BITS}u] >> shift) & {MASK}u;\n#if TOP_BITS == 1\n  q |= ((codes[base + {PLANE_BITS}u] >> t) & 0x01010101u) << {PLANE_BITS}u;\n#elif TOP_BITS == 2\n  q |= ((codes[base + {PLANE_BITS}u + t % 2u] >> ((t / 2u) * 2u)) & 0x03030303u) << {PLANE_BITS}u;\n#endif\n#include \"decode_{LAYOUT}.wgsl\" value\n#endpart\n";
export default text;
