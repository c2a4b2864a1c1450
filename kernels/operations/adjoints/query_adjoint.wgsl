// The slope of a loss by queries, from that by what they found, and of every row and head the logarithm of its sum of exponentials and the
// product of result and slope, which key_adjoint.wgsl goes on from. Scores are computed again: nothing of size T x T is stored. One sweep:
// with the slope c by a score's probability and a running maximum, q' = sum e^s (c - along) k / sum e^s. One invocation a (row, head).

#include "attention_parts.wgsl" params

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
#include "attention_parts.wgsl" turned
  if (flat >= p.total) { return; }
  let head = flat % p.heads;
  let m = flat / p.heads;
  let kv = head / (p.heads / p.kv_heads);
  let own = flat * QUADS;
  var along = 0.0;
#if LOOPED
  for (var i = 0u; i < QUADS; i++) {
    y[own + i] = vec4<f32>();
    along += dot(slopes[own + i], found[own + i]);
  }
#else
#for i QUADS
  let q{i} = q[own + {i}u] * p.scale;
  let slope{i} = slopes[own + {i}u];
  var sum{i} = vec4<f32>();
  along += dot(slope{i}, found[own + {i}u]);
#endfor
#endif
  var highest = -3.0e38;
  var weight = 0.0;
#if SHARED
  for (var part = 0u; part < 3u; part++) {
#else
  for (var part = 0u; part < 2u; part++) {
#endif
#include "attention_parts.wgsl" range
#if SHARED
    if (part < 2u) { end = min(end, p.key_rows); }
#else
    end = min(end, p.key_rows);
#endif
    for (; key < end; key++) {
      let at = (key * p.kv_heads + kv) * QUADS;
      var s = 0.0;
      var slope = -along;
#if LOOPED
      for (var i = 0u; i < QUADS; i++) {
        s += dot(q[own + i] * p.scale, k[at + i]);
        slope += dot(slopes[own + i], v[at + i]);
      }
#else
#for i QUADS
      let k{i} = k[at + {i}u];
      s += dot(q{i}, k{i});
      slope += dot(slope{i}, v[at + {i}u]);
#endfor
#endif
#if CAPPED
      s = soft_cap(s, p.cap);
      slope *= 1.0 - (s / p.cap) * (s / p.cap);
#endif
      let top = max(highest, s);
      let shrink = exp(highest - top);
      let e = exp(s - top);
      weight = weight * shrink + e;
      slope *= e;
#if LOOPED
      for (var i = 0u; i < QUADS; i++) { y[own + i] = y[own + i] * shrink + slope * k[at + i]; }
#else
#for i QUADS
      sum{i} = sum{i} * shrink + slope * k{i};
#endfor
#endif
      highest = top;
    }
  }
  let normaliser = p.scale / weight;
#if LOOPED
  for (var i = 0u; i < QUADS; i++) { y[own + i] *= normaliser; }
#else
#for i QUADS
  y[own + {i}u] = sum{i} * normaliser;
#endfor
#endif
  stats[flat] = vec2<f32>(highest + log(weight), along);
}
