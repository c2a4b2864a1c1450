// What super-blocks are to a register tile, whose scales are integers within them; codes are levels, or points of a grid. See
// register_scalar.wgsl for what each part is.

#part functions
#include "code_table.wgsl"
#include "super_scales.wgsl"
#if GRID != none
#include "grid_points.wgsl"
#endif

#endpart

#part held
#if SUPER_WORDS == 0
    let held{c} = vec4<u32>(scales[n{c} * ((p.groups + 3u) / 4u) + held_unit / 4u], 0u, 0u, 0u);
#elif SUPER_WORDS == 2
    let at_scales{c} = (n{c} * p.groups + held_unit) / 4u;
    let held{c} = vec4<u32>(scales[at_scales{c}], scales[at_scales{c} + 1u], 0u, 0u);
#elif SUPER_WORDS == 4
    let held{c} = scales[(n{c} * p.groups + held_unit) / 8u];
#else
    let at_scales{c} = (n{c} * p.groups + held_unit) / 8u * SUPER_WORDS;
    let held{c} = vec4<u32>(scales[at_scales{c}], scales[at_scales{c} + 1u], scales[at_scales{c} + 2u], scales[at_scales{c} + 3u]);
    let last{c} = vec2<u32>(scales[at_scales{c} + 4u], scales[at_scales{c} + SUPER_WORDS - 1u]);
#endif
#endpart

#part held_end
#if SUPER_WORDS == 0
    if (u >= min(held_unit + SCALE_UNITS, p.units)) { break; }
#else
    if (u >= held_unit + SCALE_UNITS) { break; }
#endif
#endpart

#part scales
#for c COLS
#if SUPER_TAIL
    let both{c} = super_scales(held{c}, last{c}, u % SCALE_UNITS);
#else
    let both{c} = super_scales(held{c}, vec2<u32>(), u % SCALE_UNITS);
#endif
    let second{c} = both{c}.z;
#endfor
#endpart

#part block
#if GRID != none
#include "register_grid.wgsl" block
#else
#include "register_words.wgsl" block
#endif
#endpart

#part value
#if SUPER_GROUP == 16
          // Quads 0 to 3 are the first group of 16, 4 to 7 the second.
#if SCALES == q2_k
          let v{c} = meaning4(i{c}) * both{c}[{s}u * PLANE_BITS / 4u] + both{c}[2u + {s}u * PLANE_BITS / 4u];
#else
          let v{c} = meaning4(i{c}) * both{c}[{s}u * PLANE_BITS / 4u];
#endif
#else
          let v{c} = meaning4(i{c});
#endif
#endpart

#part base
#if SUPER_GROUP == 16
      // Scales are in the sum already.
      let base = 1.0;
#else
      let base = both{c}.x;
#endif
#endpart
