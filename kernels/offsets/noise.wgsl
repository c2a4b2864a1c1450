// z(seed, tensor, index): Threefry-2x32 with 13 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"), four
// 16-bit lanes a call. Element i is lane i & 3 of counter (i >> 2, tensor), so how work is split cannot change z.

struct Branch {
  seed: vec2<u32>,
  amplitude: f32,
  reserved: u32,
}

fn threefry_round(v: vec2<u32>, rotation: u32) -> vec2<u32> {
  let a = v.x + v.y;
  return vec2<u32>(a, ((v.y << rotation) | (v.y >> (32u - rotation))) ^ a);
}

fn threefry(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
  let k2 = 0x1bd11bdau ^ key.x ^ key.y;
  var v = counter + key;
  v = threefry_round(v, 13u);
  v = threefry_round(v, 15u);
  v = threefry_round(v, 26u);
  v = threefry_round(v, 6u);
  v += vec2<u32>(key.y, k2 + 1u);
  v = threefry_round(v, 17u);
  v = threefry_round(v, 29u);
  v = threefry_round(v, 16u);
  v = threefry_round(v, 24u);
  v += vec2<u32>(k2, key.x + 2u);
  v = threefry_round(v, 13u);
  v = threefry_round(v, 15u);
  v = threefry_round(v, 26u);
  v = threefry_round(v, 6u);
  v += vec2<u32>(key.x, key.y + 3u);
  return threefry_round(v, 17u);
}

// The four 16-bit lanes of two words.
fn lanes4(h: vec2<u32>) -> vec4<u32> {
  return vec4<u32>(h.x & 0xffffu, h.x >> 16u, h.y & 0xffffu, h.y >> 16u);
}

fn level4(lanes: vec4<u32>) -> vec4<f32> {
#if LAW == rademacher
  return vec4<f32>(lanes & vec4<u32>(1u)) * 2.0 - 1.0;
#else
  // Binomial(16, 1/2) centred and halved: 17 levels, mean 0, variance exactly 1.
  return vec4<f32>(countOneBits(lanes)) * 0.5 - 4.0;
#endif
}

#include "direction_functions.wgsl"

// Whether offsets are frozen (optim/preparations/frozen.ts): neither perturbed nor moved.
fn frozen4(w: vec4<f32>) -> vec4<bool> {
#if FROZEN == bit
  return (bitcast<vec4<u32>>(w) & vec4<u32>(1u)) == vec4<u32>(1u);
#else
  return w == vec4<f32>(bitcast<f32>(0x03800000u));
#endif
}

// z where offsets are not frozen.
fn free4(w: vec4<f32>, z: vec4<f32>) -> vec4<f32> {
  return select(z, vec4<f32>(), frozen4(w));
}

// z of elements 4 * quad .. 4 * quad + 3 of a matrix with rows of `width` quads.
// `traits` is what packNoise (kernels/offsets/perturbation.ts) says of the tensor: the power of two that z is multiplied by, and a mask's share.
fn noise4(seed: vec2<u32>, tensor: u32, traits: u32, quad: u32, width: u32) -> vec4<f32> {
  let gain = bitcast<f32>(u32(127 + (bitcast<i32>(traits) >> 24u)) << 23u);
#include "direction_z.wgsl"
}
