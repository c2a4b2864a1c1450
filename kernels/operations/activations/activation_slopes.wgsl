// Functions of single elements and their derivatives, by KIND. The values are those of the functions' own shaders.

struct Activation {
  value: vec4<f32>,
  slope: vec4<f32>,
}

#if KIND == silu
fn activation(v: vec4<f32>) -> Activation {
  let s = 1.0 / (1.0 + exp(-v));
  return Activation(v / (1.0 + exp(-v)), s * (1.0 + v * (1.0 - s)));
}
#elif KIND == relu
fn activation(v: vec4<f32>) -> Activation {
  return Activation(select(v, vec4(0.0), v < vec4(0.0)), select(vec4(0.0), vec4(1.0), v > vec4(0.0)));
}
#elif KIND == gelu_tanh
fn activation(v: vec4<f32>) -> Activation {
  let u = 0.7978845608028654 * (v + 0.044715 * v * v * v);
  let s = 1.0 / (1.0 + exp(-2.0 * u));
  let slope = 0.7978845608028654 * (1.0 + 0.134145 * v * v);
  return Activation(v / (1.0 + exp(-2.0 * u)), s + 2.0 * v * s * (1.0 - s) * slope);
}
#else
fn activation(v: vec4<f32>) -> Activation {
  let z = abs(v) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let bell = exp(-z * z);
  let below = 0.5 * poly * bell;
  let normal = select(below, 1.0 - below, v > vec4(0.0));
  let tail = 0.5 * v * poly * bell;
  return Activation(select(tail, v - tail, v > vec4(0.0)), normal + v * bell * 0.3989422804014327);
}
#endif
