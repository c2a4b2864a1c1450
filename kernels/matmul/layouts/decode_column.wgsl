// How decode.wgsl reads codes whose every column has its own scale and zero point.

#part bindings
// Scale and zero point by class and column.
@group(0) @binding(5) var<storage, read> codebook: array<vec4<u32>>;
#endpart

#part offset_row
  return row % p.groups;
#endpart

#part functions
#include "code_table.wgsl"

#endpart

#part scale
  return Scale(1.0, 0.0);
#endpart

#part codes
#include "decode_words.wgsl" codes
#endpart

#part value
  return column_values(meaning4(q), codebook[((row % groups) * columns) / 4u + quad]);
#endpart
