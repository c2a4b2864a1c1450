// How reductions over rows are split: a workgroup of LANES lanes takes one row, or WORKGROUP rows where LANES is 1 (software adapters).

// The row and the lane of an invocation, and whether there is such a row: others compute along, so that barriers are met by all.
#part row
#if LANES != 1
  let row = group.y * wg.x + group.x;
  let lane = local;
#else
  let row = (group.y * wg.x + group.x) * {WORKGROUP}u + local;
  let lane = 0u;
#endif
  let live = row < p.rows * p.branches;
#endpart

// Where each of these shaders begins; they close the brace.
#part main
@compute @workgroup_size({WORKGROUP})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) wg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
#include "rows.wgsl" row
#endpart

// The sum of a number over the lanes of a row.
#part sums
#if LANES != 1
var<workgroup> sums: array<f32, LANES>;

// The sum over all lanes, in all of them.
fn total(lane: u32, own: f32) -> f32 {
  workgroupBarrier();
  sums[lane] = own;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  return sums[0];
}
#else
fn total(lane: u32, own: f32) -> f32 { return own; }
#endif
#endpart
