// A block of 32 columns whose codes lie in words of planes, which scalar, super and column layouts share; what a code stands for is the
// layout's.

// The words of each row of weights: words, and tops for bits that lie apart.
#part words
#for c COLS
      let at{c} = n{c} * blocks + block;
#if BITS == 8
      let words{c} = array<vec4<u32>, 2>(codes[at{c} * 2u], codes[at{c} * 2u + 1u]);
#elif BITS == 3
      let words{c} = vec2<u32>(codes[at{c} * 3u], codes[at{c} * 3u + 1u]);
      let tops{c} = codes[at{c} * 3u + 2u];
#elif BITS == 5
      let words{c} = vec4<u32>(codes[at{c} * 5u], codes[at{c} * 5u + 1u], codes[at{c} * 5u + 2u], codes[at{c} * 5u + 3u]);
      let tops{c} = codes[at{c} * 5u + 4u];
#elif BITS == 6
      let words{c} = vec4<u32>(codes[at{c} * 3u], codes[at{c} * 3u + 1u]);
      let tops{c} = codes[at{c} * 3u + 2u];
#elif BITS == 1
      let words{c} = vec2<u32>(codes[at{c}], 0u);
#else
      let words{c} = codes[at{c}];
#endif
#endfor
#endpart

#part block
#include "register_words.wgsl" words
      var word = 0u;
      loop {
#for c COLS
#if BITS == 8
        let word{c} = select(words{c}[0], words{c}[1], word > 3u)[word & 3u];
#else
        let word{c} = words{c}[word];
#endif
#if TOP_BITS == 1
        let top{c} = tops{c} >> word;
#elif TOP_BITS == 2
        let top{c} = tops{c}[word & 1u] >> (word & 2u);
#endif
#endfor
#for s QUADS_PER_WORD
        {
          let k = block * 8u + {s}u * {PLANE_BITS}u + word;
#for c COLS
          let q{c} = (word{c} >> {s*PLANE_BITS}u) & {MASK}u;
#if TOP_BITS != 0
          let t{c} = ((top{c} >> {s*PLANE_BITS}u) & {TOP_MASK}u) << {PLANE_BITS}u;
          let i{c} = q{c} | t{c};
#else
          let i{c} = q{c};
#endif
#include "register_{LAYOUT}.wgsl" value
#endfor
#include "row_dots.wgsl"
        }
#endfor
        word++;
        if (word >= {PLANE_BITS}u) { break; }
      }
#endpart
