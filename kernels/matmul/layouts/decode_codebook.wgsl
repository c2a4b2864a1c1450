// How decode.wgsl reads codes of vectors in additive codebooks.

#part bindings
@group(0) @binding(4) var<storage, read> scales: array<u32>;
#if PLANE == codebook
// By branch.
#if SMALL_PLANE && CODE_WORDS != 0
@group(0) @binding(5) var<uniform> codebook: array<vec4<f32>, {PLANE_QUADS}>;
#else
@group(0) @binding(5) var<storage, read> codebook: array<vec4<f32>>;
#endif
#elif CODE_WORDS == 0
@group(0) @binding(5) var<storage, read> codebook: array<vec2<u32>>;
#elif SMALL_BOOKS
@group(0) @binding(5) var<uniform> codebook: array<vec4<u32>, {BOOKS*ENTRIES*VECTOR_OCTETS}>;
#else
@group(0) @binding(5) var<storage, read> codebook: array<vec4<u32>>;
#endif
#endpart

#part offset_row
  return row;
#endpart

#part functions

#include "scale_words.wgsl" half_at
#endpart

#part scale
  return Scale(half_at(row), 0.0);
#endpart

#part codes
  let vector = quad / VECTOR_QUADS;
  let at = (row * (columns / {VECTOR_QUADS*WORD_VECTORS*4}u) + vector / WORD_VECTORS) * BOOKS;
  let shift = (vector % WORD_VECTORS) * CODE_WIDTH;
  var sum = vec4<f32>();
  for (var book = 0u; book < {BOOKS}u; book++) {
    let code = (codes[at + book] >> shift) & (ENTRIES - 1u);
#if PLANE == codebook
    sum += codebook[((branch * BOOKS + book) * ENTRIES + code) * VECTOR_QUADS + quad % VECTOR_QUADS];
#else
    let entry = codebook[(book * ENTRIES + code) * VECTOR_QUADS + quad % VECTOR_QUADS];
    sum += vec4<f32>(unpack2x16float(entry.x), unpack2x16float(entry.y));
#endif
  }
  return sum;
#endpart
