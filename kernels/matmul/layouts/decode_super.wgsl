// How decode.wgsl reads super-blocks, of levels or of points of a grid.

#part bindings
#include "scale_words.wgsl" binding
#if GRID != none
// The points of the grid.
@group(0) @binding(5) var<storage, read> codebook: array<u32>;
#endif
#endpart

#part offset_row
  return row;
#endpart

#part functions
#include "code_table.wgsl"
#include "super_scales.wgsl"
#if GRID != none
#include "grid_points.wgsl"
#endif

// Of the block of 32 columns `b` of a row with `blocks` of them.
fn super_scales_at(row: u32, b: u32, blocks: u32) -> vec4<f32> {
#if SUPER_WORDS == 0
  return super_scales(vec4<u32>(scales[row * ((blocks + 3u) / 4u) + b / 4u], 0u, 0u, 0u), vec2<u32>(), b % 4u);
#else
  let at = (row * (blocks / 8u) + b / 8u) * {SUPER_WORDS}u;
#if SUPER_WORDS == 2
  return super_scales(vec4<u32>(scales[at], scales[at + 1u], 0u, 0u), vec2<u32>(), b % 8u);
#elif SUPER_WORDS == 4
  return super_scales(vec4<u32>(scales[at], scales[at + 1u], scales[at + 2u], scales[at + 3u]), vec2<u32>(), b % 8u);
#else
  return super_scales(vec4<u32>(scales[at], scales[at + 1u], scales[at + 2u], scales[at + 3u]), vec2<u32>(scales[at + 4u], scales[at + {SUPER_WORDS-1}u]), b % 8u);
#endif
#endif
}

#include "scale_words.wgsl" half_at
#endpart

#part scale
#if SUPER_GROUP == 16
  return Scale(1.0, 0.0);
#else
  let both = super_scales_at(row, group, groups);
  return Scale(both.x, both.z);
#endif
#endpart

#part codes
#if GRID != none
#include "decode_grid.wgsl" codes
#else
#include "decode_words.wgsl" codes
#endif
#endpart

#part value
#if SUPER_GROUP == 16
  let both = super_scales_at(row, quad >> 3u, columns / 32u);
  return meaning4(q) * select(both.x, both.y, t > 3u) + select(both.z, both.w, t > 3u);
#else
  return meaning4(q);
#endif
#endpart
