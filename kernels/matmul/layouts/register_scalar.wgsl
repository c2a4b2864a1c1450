// What codes with a scale per group are to a register tile, beside a zero point or minimum: the parts that matmul_register.wgsl asks
// every layout with units for.

#part functions
#include "code_table.wgsl"

#if SCALE_UNITS == 1
#include "scale_words.wgsl" half_at
#endif
#endpart

// The scales of SCALE_UNITS units from held_unit on, of one column.
#part held
    let held{c} = scales[(n{c} * p.groups + held_unit) / SCALE_UNITS];
#endpart

// What comes after them.
#part held_end
    if (u >= held_unit + SCALE_UNITS) { break; }
#endpart

// The second values of unit u, which codes are shifted by.
#part scales
#if SECOND != none
#if PLANE == minima
    var minima4 = array<vec4<f32>, {COL_QUADS}>();
#for q COL_QUADS
    minima4[{q}] = minima[(b * p.groups + u / p.units_per_group) * p.row_quads + column0 / 4u + {q}u];
#endfor
#endif
#for c COLS
#if SCALE_UNITS != 1
    let pair{c} = unpack2x16float(held{c}[u % SCALE_UNITS]);
#else
    let pair{c} = unpack2x16float(scales[n{c} * p.groups + u / p.units_per_group]);
#endif
#if PLANE == minima
    let second{c} = minima4[{c} / 4][{c} % 4];
#else
    let second{c} = pair{c}.y;
#endif
#endfor
#endif
#endpart

// Adds a block of 32 columns to the partial sums.
#part block
#include "register_words.wgsl" block
#endpart

// Four values, of the codes i.
#part value
#if SECOND == zero
          let v{c} = meaning4(i{c}) - second{c};
#else
          let v{c} = meaning4(i{c});
#endif
#endpart

// The stored scale of unit u, which the partial sum is multiplied by.
#part base
#if SECOND == none && SCALE_UNITS != 1
      let base = unpack2x16float(held{c}[(u % SCALE_UNITS) / 2u] >> ((u & 1u) * 16u)).x;
#elif SECOND == none
      let base = half_at(n{c} * p.groups + u / p.units_per_group);
#else
      let base = pair{c}.x;
#endif
#endpart
