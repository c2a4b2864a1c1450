// One quad (four neighbouring columns) of a packed tensor, before its scale. See quant/layout.ts for the planes.
// Expects `codes`, and for quantised layouts `scales` and `codebook`, to be bound by the including file. Where a plane differs by
// branch (PLANE), `codebook` holds the f32 entries of each branch, or `minima` the minima and zero points, [B][groups][row_quads].

#if LAYOUT == scalar
#include "code_table.wgsl"
#elif LAYOUT == column
#include "code_table.wgsl"
#elif LAYOUT == super
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
#endif

#if LAYOUT != dense && LAYOUT != column
fn half_at(index: u32) -> f32 {
  return unpack2x16float(scales[index >> 1u] >> ((index & 1u) * 16u)).x;
}
#endif

#if PLANE == minima
// What is added after scaling where minima or zero points differ by branch; codes4 then knows neither.
fn shift_of(factor: f32, minimum: f32) -> f32 {
#if SECOND == zero
  return -factor * minimum;
#else
  return minimum;
#endif
}

fn minimum_of(row: u32, group: u32, groups: u32, branch: u32) -> f32 {
  return minima[(branch * groups + group) * p.row_quads + row / 4u][row % 4u];
}
#endif

struct Scale {
  factor: f32,  // multiplies the centred code
  shift: f32,   // added after (minimum formats)
}

// The stored scale of a row and group, and its second value folded into `shift` where it is a minimum. Of super-blocks a
// group is 32 columns; where they have two scales, and where every column has one, codes4 has applied them.
fn scale_of(row: u32, group: u32, groups: u32) -> Scale {
#if LAYOUT == dense
  return Scale(1.0, 0.0);
#elif LAYOUT == column
  return Scale(1.0, 0.0);
#elif LAYOUT == codebook
  return Scale(half_at(row), 0.0);
#elif LAYOUT == super && SUPER_GROUP == 16
  return Scale(1.0, 0.0);
#elif LAYOUT == super
  let both = super_scales_at(row, group, groups);
  return Scale(both.x, both.z);
#elif SECOND == none
  return Scale(half_at(row * groups + group), 0.0);
#elif SECOND == zero
  return Scale(unpack2x16float(scales[row * groups + group]).x, 0.0);
#else
  let pair = unpack2x16float(scales[row * groups + group]);
  return Scale(pair.x, pair.y);
#endif
}

// Centred codes (or codebook sums of a branch, or dense values) of columns 4 * quad .. 4 * quad + 3.
fn codes4(row: u32, quad: u32, columns: u32, group: u32, groups: u32, branch: u32) -> vec4<f32> {
#if LAYOUT == dense
#if DENSE == f32
  let at = (row * (columns / 4u) + quad) * 4u;
  return vec4<f32>(bitcast<f32>(codes[at]), bitcast<f32>(codes[at + 1u]), bitcast<f32>(codes[at + 2u]), bitcast<f32>(codes[at + 3u]));
#else
  let at = (row * (columns / 4u) + quad) * 2u;
  let lo = codes[at];
  let hi = codes[at + 1u];
#if DENSE == f16
  return vec4<f32>(unpack2x16float(lo), unpack2x16float(hi));
#else
  return bitcast<vec4<f32>>(vec4<u32>(lo << 16u, lo & 0xffff0000u, hi << 16u, hi & 0xffff0000u));
#endif
#endif
#elif LAYOUT == codebook
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
#elif GRID != none
  let t = quad & 7u;
  let block = quad >> 3u;
  let base = (row * (columns / 32u) + block) * {BITS}u;
#if HIGH_WIDTH == 0
  let high = 0u;
#else
  let bit = (block & 7u) * HIGH_WIDTH;
  let high = scales[(row * (columns / 256u) + (block >> 3u)) * {SUPER_WORDS}u + (bit >> 5u)] >> (bit & 31u);
#endif
  let i = t / POINT_QUADS;
  let point = grid_point((codes[base + (i >> 2u)] >> (8u * (i & 3u))) & 255u, high, i) >> (8u * (t % POINT_QUADS));
#if SIGNS
  let value = grid4(point, codes[base + {BITS-1}u] >> (4u * t), high, i);
#else
  let value = grid4(point, 0u, high, i);
#endif
#if SUPER_GROUP == 16
  let both = super_scales_at(row, block, columns / 32u);
  return value * select(both.x, both.y, t > 3u);
#else
  return value;
#endif
#else
  let t = quad & 7u;
  let base = (row * (columns / 32u) + (quad >> 3u)) * {BITS}u;
  let shift = (t / {PLANE_BITS}u) * {PLANE_BITS}u;
  var q = (codes[base + t % {PLANE_BITS}u] >> shift) & {MASK}u;
#if TOP_BITS == 1
  q |= ((codes[base + {PLANE_BITS}u] >> t) & 0x01010101u) << {PLANE_BITS}u;
#elif TOP_BITS == 2
  q |= ((codes[base + {PLANE_BITS}u + t % 2u] >> ((t / 2u) * 2u)) & 0x03030303u) << {PLANE_BITS}u;
#endif
#if LAYOUT == super && SUPER_GROUP == 16
  let both = super_scales_at(row, quad >> 3u, columns / 32u);
  return meaning4(q) * select(both.x, both.y, t > 3u) + select(both.z, both.w, t > 3u);
#elif LAYOUT == column
  return column_values(meaning4(q), codebook[((row % groups) * columns) / 4u + quad]);
#elif SECOND == zero && PLANE == none
  return meaning4(q) - unpack2x16float(scales[row * groups + group]).y;
#else
  return meaning4(q);
#endif
#endif
}
