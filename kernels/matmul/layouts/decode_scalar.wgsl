// How decode.wgsl reads codes with a scale per group, beside a zero point or minimum.

// What is bound besides the codes, and the row of the offsets that belong to a row of the tensor.
#part bindings
#include "scale_words.wgsl" binding
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

#include "scale_words.wgsl" half_at
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
