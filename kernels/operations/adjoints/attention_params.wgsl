// What the adjoints of attention are told.

#part params
struct Params {
  rows: u32,       // M
  total: u32,      // invocations
  heads: u32,
  kv_heads: u32,
  key_rows: u32,   // rows in k and v without shared ones
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
  shared_keys: u32, // behind the others, seen by all rows as if they stood before them
#endif
}
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
