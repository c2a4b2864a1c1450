// Tangents of attention with a running softmax: nothing of size T x T is stored. Of the scores s with tangents s' and the values v with v',
// y' = sum e^s (s' v + v') / sum e^s - y sum e^s s' / sum e^s; the maximum that exponents are taken from cancels. y is there already, as
// the first branch; with VALUE, of one direction, it is found here too, from the same keys. One invocation a (direction, row, head).

#include "attention_parts.wgsl" params

#include "attention_parts.wgsl" bindings

#if CAPPED
#include "soft_cap.wgsl"

#endif
@compute @workgroup_size({WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
#if VALUE
#include "attention_parts.wgsl" turned
#else
  let flat = p.first_group * {WORKGROUP}u + id.y * (wg.x * {WORKGROUP}u) + id.x;
#endif
  if (flat >= p.total) { return; }
  let head = flat % p.heads;
  let m = (flat / p.heads) % p.rows;
  let d = 1u + flat / (p.heads * p.rows);
  let kv = head / (p.heads / p.kv_heads);
  let query = (m * p.heads + head) * QUADS;
  let own = ((d * p.rows + m) * p.heads + head) * QUADS;
#if SHARED
  let moved_keys = d * (p.key_rows + p.shared_keys) * p.kv_heads * QUADS;
#else
  let moved_keys = d * p.key_rows * p.kv_heads * QUADS;
#endif
#if LOOPED
  for (var i = 0u; i < QUADS; i++) { y[own + i] = vec4<f32>(); }
#else
#for i QUADS
  let q{i} = q[query + {i}u] * p.scale;
  let r{i} = q[own + {i}u] * p.scale;
  var sum{i} = vec4<f32>();
#if VALUE
  var value{i} = vec4<f32>();
#endif
#endfor
#endif
  var highest = -3.0e38;
  var weight = 0.0;
  var slopes = 0.0;
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
      let moved = moved_keys + at;
      var s = 0.0;
      var t = 0.0;
#if LOOPED
      for (var i = 0u; i < QUADS; i++) {
        s += dot(q[query + i] * p.scale, k[at + i]);
        t += dot(q[own + i] * p.scale, k[at + i]) + dot(q[query + i] * p.scale, k[moved + i]);
      }
#else
#for i QUADS
      {
        let key_quad = k[at + {i}u];
        s += dot(q{i}, key_quad);
        t += dot(r{i}, key_quad) + dot(q{i}, k[moved + {i}u]);
      }
#endfor
#endif
#if CAPPED
      s = soft_cap(s, p.cap);
      t *= 1.0 - (s / p.cap) * (s / p.cap);
#endif
#if VALUE
      let top = max(highest, s);
      let shrink = exp(highest - top);
      let e = exp(s - top);
      let et = e * t;
      weight = weight * shrink + e;
      slopes = slopes * shrink + et;
#for i QUADS
      {
        let value_quad = v[at + {i}u];
        value{i} = value{i} * shrink + e * value_quad;
        sum{i} = sum{i} * shrink + (et * value_quad + e * v[moved + {i}u]);
      }
#endfor
      highest = top;
#else
      let top = max(highest, s);
      let shrink = exp(highest - top);
      let e = exp(s - top);
      weight = weight * shrink + e;
      slopes = slopes * shrink + e * t;
#if LOOPED
      for (var i = 0u; i < QUADS; i++) { y[own + i] = y[own + i] * shrink + e * (t * v[at + i] + v[moved + i]); }
#else
#for i QUADS
      sum{i} = sum{i} * shrink + e * (t * v[at + {i}u] + v[moved + {i}u]);
#endfor
#endif
      highest = top;
#endif
    }
  }
  let normaliser = 1.0 / weight;
  let mean = slopes * normaliser;
#if LOOPED
  for (var i = 0u; i < QUADS; i++) { y[own + i] = y[own + i] * normaliser - mean * y[query + i]; }
#else
#for i QUADS
#if VALUE
  let value_{i} = value{i} * normaliser;
  y[query + {i}u] = value_{i};
  y[own + {i}u] = sum{i} * normaliser - mean * value_{i};
#else
  y[own + {i}u] = sum{i} * normaliser - mean * y[query + {i}u];
#endif
#endfor
#endif
}
