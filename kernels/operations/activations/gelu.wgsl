// y = x * Phi(x) (* times), Phi the normal distribution, or with TANH its usual approximation

struct Params {
  total: u32, // quads
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
#if TIMES
@group(0) @binding(2) var<storage, read> times: array<vec4<f32>>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

#if TANH
// (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)): right at both ends, where adapters' tanh is not.
fn gelu(v: vec4<f32>) -> vec4<f32> {
  let u = 0.7978845608028654 * (v + 0.044715 * v * v * v);
  return v / (1.0 + exp(-2.0 * u));
}
#else
// Phi(-|v|) by Abramowitz and Stegun 7.1.26 (within 1e-7), so that small tails keep their digits.
fn gelu(v: vec4<f32>) -> vec4<f32> {
  let z = abs(v) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let tail = 0.5 * v * poly * exp(-z * z);
  return select(tail, v - tail, v > vec4(0.0));
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
#if TIMES
  y[flat] = gelu(x[flat]) * times[flat];
#else
  y[flat] = gelu(x[flat]);
#endif
}
