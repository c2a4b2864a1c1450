// How decode.wgsl reads codes of vectors in additive codebooks.

#part functions

fn half_at(index: u32) -> f32 {
  return unpack2x16float(scales[index >> 1u] >> ((index & 1u) * 16u)).x;
}
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
