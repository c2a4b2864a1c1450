// The slope of a loss by queries, from that by what they found, and of every row and head the logarithm of its sum of exponentials and the
// product of result and slope, which key_adjoint.wgsl goes on from. Scores are computed again: nothing of size T x T is stored.
// One invocation a (row, head).

struct Params {
  rows: u32,       // M
  total: u32,      // M * heads
  heads: u32,
  kv_heads: u32,
#include "attention_keys.wgsl" places
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> batch: array<u32>;
@group(0) @binding(6) var<storage, read> slopes: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> found: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> stats: array<vec2<f32>>;

#if CAPPED
#include "soft_cap.wgsl"

#endif
@compute @workgroup_size({WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * {WORKGROUP}u + id.y * (wg.x * {WORKGROUP}u) + id.x;
  if (flat >= p.total) { return; }
  let head = flat % p.heads;
  let m = flat / p.heads;
  let kv = head / (p.heads / p.kv_heads);
  let own = flat * QUADS;
  var along = 0.0;
  for (var i = 0u; i < QUADS; i++) {
    y[own + i] = vec4<f32>();
    along += dot(slopes[own + i], found[own + i]);
  }
  var highest = -3.0e38;
  var weight = 0.0;
  for (var sweep = 0u; sweep < 2u; sweep++) {
    let level = highest + log(max(weight, 1.0e-38));
    for (var part = 0u; part < 2u; part++) {
#include "attention_keys.wgsl" range
      end = min(end, p.rows);
      for (; key < end; key++) {
        let at = (key * p.kv_heads + kv) * QUADS;
        var s = 0.0;
        for (var i = 0u; i < QUADS; i++) { s += dot(q[own + i] * p.scale, k[at + i]); }
#if CAPPED
        s = soft_cap(s, p.cap);
#endif
        if (sweep == 0u) {
          let top = max(highest, s);
          weight = weight * exp(highest - top) + exp(s - top);
          highest = top;
        } else {
          var slope = 0.0;
          for (var i = 0u; i < QUADS; i++) { slope += dot(slopes[own + i], v[at + i]); }
          slope = exp(s - level) * (slope - along) * p.scale;
#if CAPPED
          slope *= 1.0 - (s / p.cap) * (s / p.cap);
#endif
          for (var i = 0u; i < QUADS; i++) { y[own + i] += slope * k[at + i]; }
        }
      }
    }
  }
  stats[flat] = vec2<f32>(highest + log(weight), along);
}
