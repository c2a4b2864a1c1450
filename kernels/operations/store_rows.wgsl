// Puts this forward's keys or values into the cache: cache[b, slot[m], :] = x[b, m, :].

struct Params {
  rows: u32,
  quads: u32,
  total: u32,
  cache_rows: u32,
  slots: u32,     // where slots start in the batch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> batch: array<u32>;
@group(0) @binding(3) var<storage, read_write> cache: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let row = flat / p.quads;
#if ROLLING
  let slot = batch[p.slots + row % p.rows] % p.cache_rows;
#else
  let slot = batch[p.slots + row % p.rows];
#endif
  cache[((row / p.rows) * p.cache_rows + slot) * p.quads + flat % p.quads] = x[flat];
}
