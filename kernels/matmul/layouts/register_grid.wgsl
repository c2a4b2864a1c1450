// A block of 32 columns whose codes are points of a grid, with signs.

#part block
#for c COLS
      let at{c} = n{c} * blocks + block;
#if BITS == 1
      let low{c} = codes[at{c}];
      let signs{c} = 0u;
#elif BITS == 2
      let low{c} = codes[at{c}].x;
      let signs{c} = codes[at{c}].y;
#else
      let low{c} = codes[at{c} * 3u];
      let upper{c} = codes[at{c} * 3u + 1u];
      let signs{c} = codes[at{c} * 3u + 2u];
#endif
      let high{c} = grid_high(held{c}, u % SCALE_UNITS);
#endfor
      var i = 0u;
      loop {
#for c COLS
#if BITS == 3
        let point{c} = grid_point((select(low{c}, upper{c}, i > 3u) >> (8u * (i & 3u))) & 255u, high{c}, i);
#else
        let point{c} = grid_point((low{c} >> (8u * i)) & 255u, high{c}, i);
#endif
#endfor
#for h POINT_QUADS
        {
          let t = i * POINT_QUADS + {h}u;
          let k = block * 8u + t;
#for c COLS
#if SUPER_GROUP == 16
          let v{c} = grid4(point{c} >> {h*8}u, signs{c} >> (4u * t), high{c}, i) * select(both{c}.x, both{c}.y, t > 3u);
#else
          let v{c} = grid4(point{c} >> {h*8}u, signs{c} >> (4u * t), high{c}, i);
#endif
#endfor
#include "row_dots.wgsl"
        }
#endfor
        i++;
        if (i >= BLOCK_POINTS) { break; }
      }
#endpart
