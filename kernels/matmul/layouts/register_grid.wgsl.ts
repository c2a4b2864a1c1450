/**
 * The text of register_grid.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// A block of 32 columns whose codes are points of a grid, with signs.\n\n#part block\n#for c COLS\n      let at{c} = n{c} * blocks + block;\n#if BITS == 1\n      let low{c} = codes[at{c}];\n      let signs{c} = 0u;\n#elif BITS == 2\n      let low{c} = codes[at{c}].x;\n      let signs{c} = codes[at{c}].y;\n#else\n      let low{c} = codes[at{c} * 3u];\n      let upper{c} = codes[at{c} * 3u + 1u];\n      let signs{c} = codes[at{c} * 3u + 2u];\n#endif\n      let high{c} = grid_high(held{c}, u % SCALE_UNITS);\n#endfor\n      var i = 0u;\n      loop {\n#for c COLS\n#if BITS == 3\n        let point{c} = grid_point((select(low{c}, upper{c}, i > 3u) >> (8u * (i & 3u))) & 255u, high{c}, i);\n#else\n        let point{c} = grid_point((low{c} >> (8u * i)) & 255u, high{c}, i);\n#endif\n#endfor\n#for h POINT_QUADS\n        {\n          let t = i * POINT_QUADS + {h}u;\n          let k = block * 8u + t;\n#for c COLS\n#if SUPER_GROUP == 16\n          let v{c} = grid4(point{c} >> {h*8}u, signs{c} >> (4u * t), high{c}, i) * select(both{c}.x, both{c}.y, t > 3u);\n#else\n          let v{c} = grid4(point{c} >> {h*8}u, signs{c} >> (4u * t), high{c}, i);\n#endif\n#endfor\n#include \"row_dots.wgsl\"\n        }\n#endfor\n        i++;\n        if (i >= BLOCK_POINTS) { break; }\n      }\n#endpart\n";
export default text;
