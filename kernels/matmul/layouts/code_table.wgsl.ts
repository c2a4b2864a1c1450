/**
 * The text of code_table.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// What four codes, one a byte, stand for before scale, zero point or minimum; see quant/layouts/code_tables.ts.

fn bytes4(i: u32) -> vec4<u32> {
  return vec4<u32>(i & 0xffu, (i >> 8u) & 0xffu, (i >> 16u) & 0xffu, i >> 24u);
}

#if LAYOUT == column
// Four codes with the scales and zero points of their columns.
fn column_values(q: vec4<f32>, words: vec4<u32>) -> vec4<f32> {
  let a = unpack2x16float(words.x);
  let b = unpack2x16float(words.y);
  let c = unpack2x16float(words.z);
  let d = unpack2x16float(words.w);
  return (q - vec4<f32>(a.y, b.y, c.y, d.y)) * vec4<f32>(a.x, b.x, c.x, d.x);
}
#endif

#if TABLE == iq4_nl
// A quartic through the 16 integers, at most 0.434 from each: rounding gives them exactly, for less than a table costs.
fn meaning4(i: u32) -> vec4<f32> {
  let q = vec4<f32>(bytes4(i)) - 8.0;
  return round((((0.0015860428 * q + 0.08183981) * q - 0.016812054) * q + 11.43981) * q + 1.4329897);
}
#elif TABLE == mxfp4
// Magnitudes 0, 0.5, 1, 1.5, 2, 3, 4, 6: a line with two bends.
fn meaning4(i: u32) -> vec4<f32> {
  let q = bytes4(i);
  let m = vec4<f32>(q & vec4<u32>(7u));
  let magnitude = 0.5 * m + 0.5 * max(m - 4.0, vec4<f32>()) + max(m - 6.0, vec4<f32>());
  return select(magnitude, -magnitude, q > vec4<u32>(7u));
}
#elif TABLE != none
// A tree of selects: software adapters index an array lane by lane.
fn meaning4(i: u32) -> vec4<f32> {
  let q = bytes4(i);
  let b0 = (q & vec4<u32>(1u)) != vec4<u32>();
  let b1 = (q & vec4<u32>(2u)) != vec4<u32>();
  let b2 = (q & vec4<u32>(4u)) != vec4<u32>();
  let a0 = select(vec4<f32>({T0}), vec4<f32>({T1}), b0);
  let a1 = select(vec4<f32>({T2}), vec4<f32>({T3}), b0);
  let a2 = select(vec4<f32>({T4}), vec4<f32>({T5}), b0);
  let a3 = select(vec4<f32>({T6}), vec4<f32>({T7}), b0);
  let low = select(select(a0, a1, b1), select(a2, a3, b1), b2);
#if TABLE == fp4
  return select(low, -low, q > vec4<u32>(7u));
#else
  let a4 = select(vec4<f32>({T8}), vec4<f32>({T9}), b0);
  let a5 = select(vec4<f32>({T10}), vec4<f32>({T11}), b0);
  let a6 = select(vec4<f32>({T12}), vec4<f32>({T13}), b0);
  let a7 = select(vec4<f32>({T14}), vec4<f32>({T15}), b0);
  let high = select(select(a4, a5, b1), select(a6, a7, b1), b2);
  return select(low, high, q > vec4<u32>(7u));
#endif
}
#else
fn meaning4(i: u32) -> vec4<f32> {
#if SECOND == zero
  return vec4<f32>(bytes4(i));
#elif CENTER == 0
  return vec4<f32>(bytes4(i));
#else
  return vec4<f32>(bytes4(i)) - {CENTER}.0;
#endif
}
#endif
`;
export default text;
