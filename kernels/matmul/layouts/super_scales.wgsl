// Scales and minima of 32 columns of a super-block, from its packed words; see quant/layouts/super_scales.ts. `w` are its first four
// words, `last` those after them; `b` is the block of 32 columns in it (of e8m0: the byte of the word).
// Result: the scales of the two groups of 16 (or the scale of the group of 32, twice), then what is added, in the same order.

fn super_scales(w: vec4<u32>, last: vec2<u32>, b: u32) -> vec4<f32> {
#if SCALES == q2_k
  let pair = w[b >> 1u] >> ((b & 1u) * 16u);
  let factors = unpack2x16float(last.x);
  let scales = vec2<f32>(vec2<u32>(pair & 15u, (pair >> 8u) & 15u));
  let minima = vec2<f32>(vec2<u32>((pair >> 4u) & 15u, (pair >> 12u) & 15u));
  return vec4<f32>(factors.x * scales, -factors.y * minima);
#elif SCALES == q3_k
  let byte = (b & 1u) * 16u;
  let low = w[(b >> 1u) & 1u] >> (byte + (b >> 2u) * 4u);
  let high = w.z >> (byte + (b >> 1u) * 2u);
  let scales = vec2<u32>((low & 15u) | ((high & 3u) << 4u), ((low >> 8u) & 15u) | (((high >> 8u) & 3u) << 4u));
  return vec4<f32>(unpack2x16float(w.w).x * (vec2<f32>(scales) - 32.0), 0.0, 0.0);
#elif SCALES == q4_k
  let factors = unpack2x16float(w.x);
  let byte = (b & 3u) * 8u;
  let s = w.y >> byte;
  let m = w.z >> byte;
  let h = w.w >> byte;
  let scale = f32(select(s & 63u, (h & 15u) | (((s >> 6u) & 3u) << 4u), b > 3u));
  let minimum = f32(select(m & 63u, ((h >> 4u) & 15u) | (((m >> 6u) & 3u) << 4u), b > 3u));
  return vec4<f32>(vec2<f32>(factors.x * scale), vec2<f32>(-factors.y * minimum));
#elif SCALES == q6_k
  let pair = bitcast<i32>(w[b >> 1u] << ((1u - (b & 1u)) * 16u));
  let scales = vec2<f32>(vec2<i32>((pair << 8u) >> 24u, pair >> 24u));
  return vec4<f32>(unpack2x16float(last.x).x * scales, 0.0, 0.0);
#elif SCALES == iq4_xs
  let scale = ((w.y >> (b * 4u)) & 15u) | (((w.x >> (16u + b * 2u)) & 3u) << 4u);
  return vec4<f32>(vec2<f32>(unpack2x16float(w.x).x * (f32(scale) - 32.0)), 0.0, 0.0);
#elif GRID == iq1_s
  let scale = (w[b >> 1u] >> ((b & 1u) * 16u + 12u)) & 7u;
  return vec4<f32>(vec2<f32>(unpack2x16float(last.x).x * (f32(scale) + 0.5)), 0.0, 0.0);
#elif GRID == iq1_m
  // A quarter of the factor stands above four scales.
  let quarters = (vec4<u32>(last.x, last.x, last.y, last.y) >> vec4<u32>(12u, 28u, 12u, 28u)) & vec4<u32>(15u);
  let factor = unpack2x16float(quarters.x | (quarters.y << 4u) | (quarters.z << 8u) | (quarters.w << 12u)).x;
  let pair = last[b >> 2u] >> (((b >> 1u) & 1u) * 16u + (b & 1u) * 6u);
  return vec4<f32>(factor * (vec2<f32>(vec2<u32>(pair & 7u, (pair >> 3u) & 7u)) + 0.5), 0.0, 0.0);
#elif GRID != none
#if FACTOR_WORD == 4
  let factor = unpack2x16float(last.x).x;
#else
  let factor = unpack2x16float(w[{FACTOR_WORD}]).x;
#endif
#if SUPER_GROUP == 16
  let pair = w[{NIBBLE_WORD}u + (b >> 2u)] >> ((b & 3u) * 8u);
  let scales = vec2<f32>(vec2<u32>(pair & 15u, (pair >> 4u) & 15u));
#else
  let scales = vec2<f32>(f32((w[{NIBBLE_WORD}] >> (b * 4u)) & 15u));
#endif
  return vec4<f32>(factor * (scales + 0.5), 0.0, 0.0);
#else
  // An exponent of 0 would be subnormal, which adapters may flush; 255 is no number.
  return vec4<f32>(vec2<f32>(bitcast<f32>(((w.x >> (b * 8u)) & 255u) << 23u)), 0.0, 0.0);
#endif
}
