// A block of 32 columns whose codes lie in words of planes, as register_words.wgsl has it, of COLS rows of the weights: adds its columns, times
// the slopes f0, f1, ..., to y0_0, y0_1, ... All of it is unrolled, so that sums stay in registers.

#part block
#include "register_words.wgsl" words
#for w PLANE_BITS
#for c COLS
#if BITS == 8
    let word{c}_{w} = words{c}[{w} / 4][{w} % 4];
#else
    let word{c}_{w} = words{c}[{w}];
#endif
#if TOP_BITS == 1
    let top{c}_{w} = tops{c} >> {w}u;
#elif TOP_BITS == 2
    let top{c}_{w} = tops{c}[{w} % 2] >> ({w}u & 2u);
#endif
#endfor
#for s QUADS_PER_WORD
    {
      let k = block * 8u + {s*PLANE_BITS+w}u;
#for c COLS
      let q{c} = (word{c}_{w} >> {s*PLANE_BITS}u) & {MASK}u;
#if TOP_BITS != 0
      let i{c} = q{c} | (((top{c}_{w} >> {s*PLANE_BITS}u) & {TOP_MASK}u) << {PLANE_BITS}u);
#else
      let i{c} = q{c};
#endif
#include "register_{LAYOUT}.wgsl" value
#endfor
#for r ROWS
      y{r}_{s*PLANE_BITS+w} += f{r}.x * v0 + f{r}.y * v1 + f{r}.z * v2 + f{r}.w * v3;
#endfor
    }
#endfor
#endfor
#endpart
