// Causal grouped-query attention with a running softmax: nothing of size T x T is stored. Row m attends to the keys
// [prefix_start, prefix_end) and [own_start, slot]: rows of other sequences, padding and later tokens are never read.
// One invocation a (branch, row, head). Heads wider than usual are LOOPED over: unrolled, they would compile for minutes.

#include "attention_parts.wgsl" params

#include "attention_parts.wgsl" bindings

#if CAPPED
#include "soft_cap.wgsl"

#endif
@compute @workgroup_size({WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * {WORKGROUP}u + id.y * (wg.x * {WORKGROUP}u) + id.x;
  if (flat >= p.total) { return; }
  let head = flat % p.heads;
  let row = flat / p.heads;
  let m = row % p.rows;
  let b = row / p.rows;
  let kv = head / (p.heads / p.kv_heads);
#if SHARED
  let first_key = b * (p.key_rows + p.shared_keys);
#else
  let first_key = b * p.key_rows;
#endif
#if LOOPED
  // The sums lie where the result will: arrays of the function's own would compile for minutes too.
  let own = flat * QUADS;
  for (var i = 0u; i < QUADS; i++) { y[own + i] = vec4<f32>(); }
#else
  var query = array<vec4<f32>, {QUADS}>();
  var sum = array<vec4<f32>, {QUADS}>();
#for i QUADS
  query[{i}] = q[flat * {QUADS}u + {i}u] * p.scale;
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
#if ROLLING
    // Keys lie in their slots modulo the rows that there are.
    for (; key < end; key++) {
#if SHARED
      let place = select(key % p.key_rows, key, part == 2u);
      let at = ((first_key + place) * p.kv_heads + kv) * {QUADS}u;
#else
      let at = ((first_key + key % p.key_rows) * p.kv_heads + kv) * {QUADS}u;
#endif
#else
#if SHARED
    if (part < 2u) { end = min(end, p.key_rows); }
#else
    end = min(end, p.key_rows);
#endif
    for (; key < end; key++) {
      let at = ((first_key + key) * p.kv_heads + kv) * {QUADS}u;
#endif
      var s = 0.0;
#if LOOPED
      for (var i = 0u; i < QUADS; i++) { s += dot(q[own + i] * p.scale, k[at + i]); }
#else
#for i QUADS
      s += dot(query[{i}], k[at + {i}u]);
#endfor
#endif
#if CAPPED
      s = soft_cap(s, p.cap);
#endif
      let top = max(highest, s);
      let shrink = exp(highest - top);
      let e = exp(s - top);
      weight = weight * shrink + e;
#if LOOPED
      for (var i = 0u; i < QUADS; i++) { y[own + i] = y[own + i] * shrink + e * v[at + i]; }
#else
#for i QUADS
      sum[{i}] = sum[{i}] * shrink + e * v[at + {i}u];
#endfor
#endif
      highest = top;
    }
  }
  let normaliser = 1.0 / weight;
#if LOOPED
  for (var i = 0u; i < QUADS; i++) { y[own + i] = y[own + i] * normaliser; }
#else
#for i QUADS
  y[flat * {QUADS}u + {i}u] = sum[{i}] * normaliser;
#endfor
#endif
}
