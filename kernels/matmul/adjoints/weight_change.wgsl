// How four weights change with the offset of their scale; of a dense tensor with their own. For files that include decode.wgsl.

fn change4(n: u32, quad: u32) -> vec4<f32> {
#if LAYOUT == dense
#if FORM == relative
  return codes4(n, quad, p.columns, 0u, 0u, 0u);
#else
  return vec4<f32>(1.0);
#endif
#else
  let group = quad * 4u / p.group_columns;
  let value = codes4(n, quad, p.columns, group, p.groups, 0u);
#if FORM == relative
  let scale = scale_of(n, group, p.groups);
#if PLANE == minima && SECOND == zero
  return value * scale.factor + shift_of(scale.factor, minimum_of(n, group, p.groups, 0u));
#elif MINIMA_MOVE
  return value * scale.factor + scale.shift;
#else
  return value * scale.factor;
#endif
#elif PLANE == minima && SECOND == zero
  return value + shift_of(1.0, minimum_of(n, group, p.groups, 0u));
#else
  return value;
#endif
#endif
}
