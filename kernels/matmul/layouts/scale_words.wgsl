// Scales that lie in words, two f16 a word: what scalar, super and codebook layouts share.

#part binding
#if SCALE_VECTOR
@group(0) @binding(4) var<storage, read> scales: array<vec4<u32>>;
#else
@group(0) @binding(4) var<storage, read> scales: array<u32>;
#endif
#endpart

#part half_at
fn half_at(index: u32) -> f32 {
  return unpack2x16float(scales[index >> 1u] >> ((index & 1u) * 16u)).x;
}
#endpart
