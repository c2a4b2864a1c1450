// Work that grows with a row's place: workgroups take rows from both ends in turns, so that threads that share the workgroups out in stretches have as
// much to do each.

#part flat
  let group = p.first_group + id.y * wg.x + id.x / {WORKGROUP}u;
  let groups = (p.total + {WORKGROUP}u - 1u) / {WORKGROUP}u;
  if (group >= groups) { return; }
  let turned = select(group / 2u, groups - 1u - group / 2u, group % 2u == 1u);
  let flat = turned * {WORKGROUP}u + id.x % {WORKGROUP}u;
#endpart
