// Of every key the first row that sees it and the one behind the last, so that key_adjoint.wgsl visits those alone. One invocation a key.

#include "attention_parts.wgsl" params

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(3) var<storage, read_write> y: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read> batch: array<u32>;

#include "attention_parts.wgsl" sees

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let wanted = id.y * (wg.x * 64u) + id.x;
  if (wanted >= p.total) { return; }
  var first = p.rows;
  var end = 0u;
  for (var m = 0u; m < p.rows; m++) {
    if (sees(m, wanted)) {
      first = min(first, m);
      end = m + 1u;
    }
  }
  y[wanted] = vec2<u32>(first, end);
}
