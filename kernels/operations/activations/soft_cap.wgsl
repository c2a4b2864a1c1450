// cap * tanh(x / cap): by a series near zero and by exp elsewhere, because adapters' tanh is off by up to 1e-5 and not finite far out.
fn soft_cap(x: f32, cap: f32) -> f32 {
  let u = x / cap;
  let v = u * u;
  let near = u * (1.0 + v * (-0.3333333333 + v * (0.1333333333 + v * (-0.0539682540 + v * 0.0218694885))));
  let e = exp(-2.0 * abs(u));
  return cap * select(sign(u) * (1.0 - e) / (1.0 + e), near, abs(u) < 0.25);
}
