// What a norm with a gain and a bias reads and writes.

#part bindings
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
#if ROW_LIST
@group(0) @binding(2) var<storage, read> batch: array<u32>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#if GAIN
@group(0) @binding(4) var<storage, read> gain: array<vec4<f32>>;
#endif
#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;
#endif

#include "rows.wgsl" sums
#endpart
