// Rotary position embedding in place, from a table of (cos, sin) that the host computes: adapters differ in cos by up to 4e-3.
// WIDTH pairs an invocation: 4 of the halved form, 2 of the interleaved one, or 1 where a head has too few.

struct Params {
  rows: u32,      // M
  total: u32,     // invocations: B * M * heads * pairs / WIDTH
  heads: u32,
  pairs: u32,     // rotated pairs of a head, in units of WIDTH
  head: u32,      // head dimension, in elements of x
  positions: u32, // where positions start in the batch
}

@group(0) @binding(0) var<uniform> p: Params;
#if WIDTH == 1
@group(0) @binding(1) var<storage, read> table: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;
#else
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> x: array<vec4<f32>>;
#endif
@group(0) @binding(2) var<storage, read> batch: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let item = flat % p.pairs;
  let head = (flat / p.pairs) % p.heads;
  let row = flat / (p.pairs * p.heads);
  let angle = batch[p.positions + row % p.rows] * p.pairs + item;
  let base = (row * p.heads + head) * p.head;
#if BACKWARDS
  let turn = -1.0;
#endif
#if WIDTH == 4
  let lo = table[angle * 2u];
  let hi = table[angle * 2u + 1u];
  let c = vec4<f32>(lo.xz, hi.xz);
#if BACKWARDS
  let s = turn * vec4<f32>(lo.yw, hi.yw);
#else
  let s = vec4<f32>(lo.yw, hi.yw);
#endif
  let i = base + item;
  let j = i + p.pairs;
  let a = x[i];
  let b = x[j];
  x[i] = a * c - b * s;
  x[j] = a * s + b * c;
#elif WIDTH == 2
  // (a, b) of two neighbouring pairs in one vector.
#if BACKWARDS
  let t = table[angle] * vec4<f32>(1.0, turn, 1.0, turn);
#else
  let t = table[angle];
#endif
  let v = x[base + item];
  x[base + item] = v * t.xxzz + vec4<f32>(-v.y, v.x, -v.w, v.z) * t.yyww;
#else
#if BACKWARDS
  let t = table[angle] * vec2<f32>(1.0, turn);
#else
  let t = table[angle];
#endif
#if INTERLEAVED
  let i = base + item * 2u;
  let j = i + 1u;
#else
  let i = base + item;
  let j = i + p.pairs;
#endif
  let a = x[i];
  let b = x[j];
  x[i] = a * t.x - b * t.y;
  x[j] = a * t.y + b * t.x;
#endif
}
