// How decode.wgsl reads codes with a scale per group, beside a zero point or minimum.

// What is bound besides the codes, and the row of the offsets that belong to a row of the tensor.
#part bindings
#if SCALE_VECTOR
@group(0) @binding(4) var<storage, read> scales: array<vec4<u32>>;
#else
@group(0) @binding(4) var<storage, read> scales: array<u32>;
#endif
#if PLANE == minima
// By branch, [B][groups][row_quads].
@group(0) @binding(5) var<storage, read> minima: array<vec4<f32>>;
#endif
#endpart

#part offset_row
  return row;
#endpart

#part functions
#include "code_table.wgsl"

fn half_at(index: u32) -> f32 {
  return unpack2x16float(scales[index >> 1u] >> ((index & 1u) * 16u)).x;
}
#endpart

#part scale
#if SECOND == none
  return Scale(half_at(row * groups + group), 0.0);
#elif SECOND == zero
  return Scale(unpack2x16float(scales[row * groups + group]).x, 0.0);
#else
  let pair = unpack2x16float(scales[row * groups + group]);
  return Scale(pair.x, pair.y);
#endif
#endpart

#part codes
#include "decode_words.wgsl" codes
#endpart

#part value
#if SECOND == zero && PLANE == none
  return meaning4(q) - unpack2x16float(scales[row * groups + group]).y;
#else
  return meaning4(q);
#endif
#endpart
