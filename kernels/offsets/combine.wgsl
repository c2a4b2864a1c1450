// base (+) offset: the accessor through which training is seen. Offsets are stored, bases never change.

#if FORM != none && TANGENT
// The derivative of what is below.
#if FORM == relative
fn combine(base: f32, offset: f32) -> f32 { return base * offset; }
fn combine4(base: vec4<f32>, offset: vec4<f32>) -> vec4<f32> { return base * offset; }
#else
fn combine(base: f32, offset: f32) -> f32 { return offset; }
fn combine4(base: vec4<f32>, offset: vec4<f32>) -> vec4<f32> { return offset; }
#endif
#elif FORM == relative
fn combine(base: f32, offset: f32) -> f32 { return base + base * offset; }
fn combine4(base: vec4<f32>, offset: vec4<f32>) -> vec4<f32> { return base + base * offset; }
#elif FORM == absolute
fn combine(base: f32, offset: f32) -> f32 { return base + offset; }
fn combine4(base: vec4<f32>, offset: vec4<f32>) -> vec4<f32> { return base + offset; }
#endif
