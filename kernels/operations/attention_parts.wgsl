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
#include "attention_parts.wgsl" range
#if SHARED
    if (part < 2u) { end = min(end, p.key_rows); }
#endif
    if (wanted >= key && wanted < end) { return true; }
  }
  return false;
}
#endpart

// The keys that a row sees: those of its prompt, part 0, those of its own sequence, part 1, and with SHARED those that all rows see, part 2.

#part range
    var key = batch[p.prefix_start + m];
    var end = batch[p.prefix_end + m];
    if (part == 1u) {
      key = batch[p.own_start + m];
      end = batch[p.slot + m] + 1u;
    }
#if SHARED
    if (part == 2u) {
      key = p.key_rows;
      end = key + p.shared_keys;
    }
#endif
#if WINDOWED
    // Those of its own sequence are the nearest; what they leave of the window lies at the end of the prompt.
    var near = p.window;
    if (part == 0u) { near -= min(near, batch[p.slot + m] + 1u - batch[p.own_start + m]); }
#if SHARED
    if (part == 2u) {
      let prompt = batch[p.prefix_end + m] - batch[p.prefix_start + m];
      near -= min(near, prompt + batch[p.slot + m] + 1u - batch[p.own_start + m]);
    }
#endif
    key = max(key, end - min(near, end));
#endif
#endpart

// Which invocation this is, where later rows have more to do or less: workgroups take rows from both ends in turns, so that threads that share them
// out in stretches have as much to do each.
#part turned
  let group = p.first_group + id.y * wg.x + id.x / {WORKGROUP}u;
  let groups = (p.total + {WORKGROUP}u - 1u) / {WORKGROUP}u;
  if (group >= groups) { return; }
  let flat = select(group / 2u, groups - 1u - group / 2u, group % 2u == 1u) * {WORKGROUP}u + id.x % {WORKGROUP}u;
#endpart
