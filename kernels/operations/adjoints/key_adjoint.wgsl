// The slopes of a loss by keys and values, from that by what queries found in them: summed over the rows that see a key and over the heads
// that share it, in the order of the rows, so that the same bits come out on every run. One invocation a (key, head of keys).

struct Params {
  rows: u32,       // M
  total: u32,      // M * kv_heads
  heads: u32,
  kv_heads: u32,
#include "attention_keys.wgsl" places
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> key_slopes: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> batch: array<u32>;
@group(0) @binding(6) var<storage, read> slopes: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> value_slopes: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> stats: array<vec2<f32>>;

#if CAPPED
#include "soft_cap.wgsl"

#endif
// Whether row m sees the key in this row.
fn sees(m: u32, wanted: u32) -> bool {
  for (var part = 0u; part < 2u; part++) {
#include "attention_keys.wgsl" range
    if (wanted >= key && wanted < end) { return true; }
  }
  return false;
}

@compute @workgroup_size({WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * {WORKGROUP}u + id.y * (wg.x * {WORKGROUP}u) + id.x;
  if (flat >= p.total) { return; }
  let kv = flat % p.kv_heads;
  let wanted = flat / p.kv_heads;
  let own = flat * QUADS;
  let shared_by = p.heads / p.kv_heads;
  for (var i = 0u; i < QUADS; i++) {
    key_slopes[own + i] = vec4<f32>();
    value_slopes[own + i] = vec4<f32>();
  }
  for (var m = 0u; m < p.rows; m++) {
    if (!sees(m, wanted)) { continue; }
    for (var h = 0u; h < shared_by; h++) {
      let row = m * p.heads + kv * shared_by + h;
      let at = row * QUADS;
      var s = 0.0;
      var slope = 0.0;
      for (var i = 0u; i < QUADS; i++) {
        s += dot(q[at + i] * p.scale, k[own + i]);
        slope += dot(slopes[at + i], v[own + i]);
      }
#if CAPPED
      s = soft_cap(s, p.cap);
#endif
      let e = exp(s - stats[row].x);
      slope = e * (slope - stats[row].y) * p.scale;
#if CAPPED
      slope *= 1.0 - (s / p.cap) * (s / p.cap);
#endif
      for (var i = 0u; i < QUADS; i++) {
        key_slopes[own + i] += slope * q[at + i];
        value_slopes[own + i] += e * slopes[at + i];
      }
    }
  }
}
