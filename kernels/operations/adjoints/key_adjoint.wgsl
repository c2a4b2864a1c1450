// The slopes of a loss by keys and values, from that by what queries found in them: summed over the rows that see a key and over the heads
// that share it, in the order of the rows, so that the same bits come out on every run. One invocation a (key, head of keys).

#include "attention_parts.wgsl" params

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> key_slopes: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> batch: array<u32>;
@group(0) @binding(6) var<storage, read> slopes: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> value_slopes: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> stats: array<vec2<f32>>;
@group(0) @binding(9) var<storage, read> seen: array<vec2<u32>>;

#if CAPPED
#include "soft_cap.wgsl"

#endif
#include "attention_parts.wgsl" sees

@compute @workgroup_size({WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
#include "attention_parts.wgsl" turned
  if (flat >= p.total) { return; }
  let kv = flat % p.kv_heads;
  let wanted = flat / p.kv_heads;
  let own = flat * QUADS;
  let shared_by = p.heads / p.kv_heads;
#if LOOPED
  for (var i = 0u; i < QUADS; i++) {
    key_slopes[own + i] = vec4<f32>();
    value_slopes[own + i] = vec4<f32>();
  }
#else
#for i QUADS
  let k{i} = k[own + {i}u];
  let v{i} = v[own + {i}u];
  var by_key{i} = vec4<f32>();
  var by_value{i} = vec4<f32>();
#endfor
#endif
  let rows = seen[wanted];
  for (var m = rows.x; m < rows.y; m++) {
    if (!sees(m, wanted)) { continue; }
    for (var h = 0u; h < shared_by; h++) {
      let row = m * p.heads + kv * shared_by + h;
      let at = row * QUADS;
      var s = 0.0;
      var slope = -stats[row].y;
#if LOOPED
      for (var i = 0u; i < QUADS; i++) {
        s += dot(q[at + i], k[own + i]);
        slope += dot(slopes[at + i], v[own + i]);
      }
#else
#for i QUADS
      let q{i} = q[at + {i}u];
      let slope{i} = slopes[at + {i}u];
      s += dot(q{i}, k{i});
      slope += dot(slope{i}, v{i});
#endfor
#endif
      s *= p.scale;
#if CAPPED
      s = soft_cap(s, p.cap);
      slope *= 1.0 - (s / p.cap) * (s / p.cap);
#endif
      let e = exp(s - stats[row].x);
      slope *= e * p.scale;
#if LOOPED
      for (var i = 0u; i < QUADS; i++) {
        key_slopes[own + i] += slope * q[at + i];
        value_slopes[own + i] += e * slopes[at + i];
      }
#else
#for i QUADS
      by_key{i} += slope * q{i};
      by_value{i} += e * slope{i};
#endfor
#endif
    }
  }
#if !LOOPED
#for i QUADS
  key_slopes[own + {i}u] = by_key{i};
  value_slopes[own + {i}u] = by_value{i};
#endfor
#endif
}
