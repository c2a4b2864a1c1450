/**
 * The text of both_ends.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Work that grows with a row's place: workgroups take rows from both ends in turns, so that threads that share the workgroups out in stretches have as\n// much to do each.\n\n#part flat\n  let group = p.first_group + id.y * wg.x + id.x / {WORKGROUP}u;\n  let groups = (p.total + {WORKGROUP}u - 1u) / {WORKGROUP}u;\n  if (group >= groups) { return; }\n  let turned = select(group / 2u, groups - 1u - group / 2u, group % 2u == 1u);\n  let flat = turned * {WORKGROUP}u + id.x % {WORKGROUP}u;\n#endpart\n";
export default text;
