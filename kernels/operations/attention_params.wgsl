// What attention, its tangent and its adjoints are told. B counts branches, or directions, or 1; adjoints of keys have an invocation for each key
// in place of each row.

#part params
struct Params {
  rows: u32,       // M
  total: u32,      // B * M * heads
  heads: u32,
  kv_heads: u32,
  key_rows: u32,   // rows of one branch in k and v
  prefix_start: u32,
  prefix_end: u32,
  own_start: u32,
  slot: u32,       // these four: where each list starts in the batch
  scale: f32,
  first_group: u32, // of a dispatch that is split: its first workgroup
#if WINDOWED
  window: u32,     // keys that a row sees, itself included
#endif
#if CAPPED
  cap: f32,        // scores s become cap * tanh(s / cap)
#endif
#if SHARED
  shared_keys: u32, // behind the keys of each branch, seen by all its rows as if they stood before them
#endif
}
#endpart

#part bindings
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> batch: array<u32>;
#endpart

// Whether row m sees the key in a row of k.
#part sees
fn sees(m: u32, wanted: u32) -> bool {
#if SHARED
  for (var part = 0u; part < 3u; part++) {
#else
  for (var part = 0u; part < 2u; part++) {
#endif
#include "attention_keys.wgsl" range
#if SHARED
    if (part < 2u) { end = min(end, p.key_rows); }
#endif
    if (wanted >= key && wanted < end) { return true; }
  }
  return false;
}
#endpart
