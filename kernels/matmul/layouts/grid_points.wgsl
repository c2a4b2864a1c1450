// Points of a grid, see quant/layouts/grids.ts. Expects `codebook`, two points a word, to be bound by the including file.

// What block `b` of a super-block has with its scales, whose first words are `w`; bits above HIGH_WIDTH are another block's.
fn grid_high(w: vec4<u32>, b: u32) -> u32 {
#if HIGH_WIDTH == 0
  return 0u;
#else
  return w[(b * HIGH_WIDTH) >> 5u] >> ((b * HIGH_WIDTH) & 31u);
#endif
}

// The levels of a block's point `i`, whose code begins with the byte `low`.
fn grid_point(low: u32, high: u32, i: u32) -> u32 {
#if HIGH == 0
  let code = low;
#else
  let code = low | (((high >> (HIGH_STEP * i)) & HIGH_MASK) << 8u);
#endif
  return codebook[code >> 1u] >> ((code & 1u) * 16u);
}

// Four columns of a block's point `i`: the lowest levels of `point` under the lowest of `signs`.
fn grid4(point: u32, signs: u32, high: u32, i: u32) -> vec4<f32> {
#if POINT_COLUMNS == 8
  let q = vec4<f32>((vec4<u32>(point) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u));
#else
  let q = vec4<f32>((vec4<u32>(point) >> vec4<u32>(0u, 3u, 6u, 9u)) & vec4<u32>(7u));
#endif
#if SHIFT_OF == block
  return 2.0 * q - select(1.75, 2.25, (high & 0x8000u) != 0u);
#elif SHIFT_OF == point
  return 2.0 * q - select(1.75, 2.25, ((high >> (HIGH_STEP * i + HIGH)) & 1u) != 0u);
#elif GRID == iq3_s
  let value = 4.0 * q + 2.0;
#elif GRID == iq3_xxs
  let value = 4.0 * q + 2.0 + max(q - 6.0, vec4<f32>());
#else
  let value = 4.25 * q + 2.0 + 0.25 * max(q - 1.0, vec4<f32>());
#endif
#if SIGNS
  return select(value, -value, (vec4<u32>(signs) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>());
#endif
}
