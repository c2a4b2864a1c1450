// One quad (four neighbouring columns) of a packed tensor, before its scale. See quant/layouts/layout.ts for the planes.
// Expects `codes`, and for quantised layouts `scales` and `codebook`, to be bound by the including file. Where a plane differs by
// branch (PLANE), `codebook` holds the f32 entries of each branch, or `minima` the minima and zero points, [B][groups][row_quads].

#include "decode_{LAYOUT}.wgsl" functions

#if PLANE == minima
// What is added after scaling where minima or zero points differ by branch; codes4 then knows neither.
fn shift_of(factor: f32, minimum: f32) -> f32 {
#if SECOND == zero
  return -factor * minimum;
#elif TANGENT
  return 0.0;
#else
  return minimum;
#endif
}

fn minimum_of(row: u32, group: u32, groups: u32, branch: u32) -> f32 {
  return minima[(branch * groups + group) * p.row_quads + row / 4u][row % 4u];
}
#endif

struct Scale {
  factor: f32,  // multiplies the centred code
  shift: f32,   // added after (minimum formats)
}

// The stored scale of a row and group, and its second value folded into `shift` where it is a minimum. Of super-blocks a
// group is 32 columns; where they have two scales, and where every column has one, codes4 has applied them.
fn scale_of(row: u32, group: u32, groups: u32) -> Scale {
#include "decode_{LAYOUT}.wgsl" scale
}

// Centred codes (or codebook sums of a branch, or dense values) of columns 4 * quad .. 4 * quad + 3.
fn codes4(row: u32, quad: u32, columns: u32, group: u32, groups: u32, branch: u32) -> vec4<f32> {
#include "decode_{LAYOUT}.wgsl" codes
}
