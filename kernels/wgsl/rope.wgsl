// Rotary position embedding in place, from a table of (cos, sin) that the host computes: adapters differ in cos by up to 4e-3.

struct Params {
  rows: u32,      // M
  total: u32,     // B * M * heads * pairs
  heads: u32,
  pairs: u32,     // rotated pairs of a head
  head: u32,      // head dimension
  positions: u32, // where positions start in the batch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let pair = flat % p.pairs;
  let head = (flat / p.pairs) % p.heads;
  let row = flat / (p.pairs * p.heads);
  let position = batch[p.positions + row % p.rows];
  let t = table[position * p.pairs + pair];
  let base = (row * p.heads + head) * p.head;
#if INTERLEAVED
  let i = base + pair * 2u;
  let j = i + 1u;
#else
  let i = base + pair;
  let j = i + p.pairs;
#endif
  let a = x[i];
  let b = x[j];
  x[i] = a * t.x - b * t.y;
  x[j] = a * t.y + b * t.x;
}
