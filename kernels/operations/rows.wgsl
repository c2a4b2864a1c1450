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
