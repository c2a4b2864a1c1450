/**
 * The text of rows.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// How reductions over rows are split: a workgroup of LANES lanes takes one row, or WORKGROUP rows where LANES is 1 (software adapters).\n\n// The row and the lane of an invocation, and whether there is such a row: others compute along, so that barriers are met by all.\n#part row\n#if LANES != 1\n  let row = group.y * wg.x + group.x;\n  let lane = local;\n#else\n  let row = (group.y * wg.x + group.x) * {WORKGROUP}u + local;\n  let lane = 0u;\n#endif\n  let live = row < p.rows * p.branches;\n#endpart\n\n// Where each of these shaders begins; they close the brace.\n#part main\n@compute @workgroup_size({WORKGROUP})\nfn main(\n  @builtin(workgroup_id) group: vec3<u32>,\n  @builtin(num_workgroups) wg: vec3<u32>,\n  @builtin(local_invocation_index) local: u32,\n) {\n#include \"rows.wgsl\" row\n#endpart\n\n// The sum of a number over the lanes of a row.\n#part sums\n#if LANES != 1\nvar<workgroup> sums: array<f32, LANES>;\n\n// The sum over all lanes, in all of them.\nfn total(lane: u32, own: f32) -> f32 {\n  workgroupBarrier();\n  sums[lane] = own;\n  workgroupBarrier();\n  for (var half = LANES / 2u; half > 0u; half /= 2u) {\n    if (lane < half) { sums[lane] += sums[lane + half]; }\n    workgroupBarrier();\n  }\n  return sums[0];\n}\n#else\nfn total(lane: u32, own: f32) -> f32 { return own; }\n#endif\n#endpart\n";
export default text;
