// stats[slot] = (largest |x|, mean |x|) over the first `quads` quads: one workgroup.

struct Params {
  quads: u32,
  slot: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec2<f32>>;

var<workgroup> partial: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
  var largest = vec4<f32>();
  var sum = 0.0;
  // Partial sums of 64 quads, so that long ones lose little.
  for (var start = t; start < p.quads; start += 4096u) {
    var part = vec4<f32>();
    for (var i = start; i < min(start + 4096u, p.quads); i += 64u) {
      let size = abs(x[i]);
      largest = max(largest, size);
      part += size;
    }
    sum += dot(part, vec4<f32>(1.0));
  }
  partial[t] = vec2<f32>(max(max(largest.x, largest.y), max(largest.z, largest.w)), sum);
  workgroupBarrier();
  if (t != 0u) { return; }
  var all = vec2<f32>();
  for (var i = 0u; i < 64u; i++) {
    all = vec2<f32>(max(all.x, partial[i].x), all.y + partial[i].y);
  }
  stats[p.slot] = vec2<f32>(all.x, all.y / f32(p.quads * 4u));
}
