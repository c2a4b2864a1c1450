// What codes of vectors in additive codebooks are to a register tile. See register_scalar.wgsl for what each part is.

#part functions

#include "scale_words.wgsl" half_at
#endpart

#part scales
#endpart

#part block
#for c COLS
#if CODE_WORDS == 1
      let at{c} = (n{c} * (blocks * BLOCK_WORDS / WORD_BLOCKS) + block * BLOCK_WORDS / WORD_BLOCKS) * BOOKS;
#for i BLOCK_WORDS
#for book BOOKS
      let codes{c}_{i}_{book} = codes[at{c} + {i*BOOKS+book}u];
#endfor
#endfor
#else
      let words{c} = codes[n{c} * blocks + block];
#for i BLOCK_WORDS
#for book BOOKS
      let codes{c}_{i}_{book} = words{c}[{i*BOOKS+book}];
#endfor
#endfor
#endif
#endfor
#for i BLOCK_WORDS
      {
        // Vectors of this word in this block; a word of several blocks starts at the block's own.
        let vectors = WORD_VECTORS / WORD_BLOCKS;
        let first_vector = (block % WORD_BLOCKS) * vectors;
        var vector = 0u;
        loop {
#for c COLS
#for book BOOKS
          let code{c}_{book} = (codes{c}_{i}_{book} >> ((first_vector + vector) * CODE_WIDTH)) & (ENTRIES - 1u);
#endfor
#endfor
#for o VECTOR_OCTETS
#if PLANE == none
#for c COLS
#for book BOOKS
          let entry{c}_{book}_{o} = codebook[({book}u * ENTRIES + code{c}_{book}) * VECTOR_OCTETS + {o}u];
#endfor
#endfor
#endif
#for h 2
          {
            let k = block * 8u + ({i}u * vectors + vector) * VECTOR_QUADS + {o*2+h}u;
#for c COLS
            var v{c} = vec4<f32>();
#for book BOOKS
#if PLANE == codebook
            v{c} += codebook[((b * BOOKS + {book}u) * ENTRIES + code{c}_{book}) * VECTOR_QUADS + {o*2+h}u];
#else
            v{c} += vec4<f32>(unpack2x16float(entry{c}_{book}_{o}[{h*2}]), unpack2x16float(entry{c}_{book}_{o}[{h*2+1}]));
#endif
#endfor
#endfor
#include "row_dots.wgsl"
          }
#endfor
#endfor
          vector++;
          if (vector >= vectors) { break; }
        }
      }
#endfor
#endpart

#part base
      let base = half_at(n{c});
#endpart
