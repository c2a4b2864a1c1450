/**
 * The text of accept.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// The second half of a step that was tried: the losses of its multiples decide which is made. One invocation. A loss that is not\n// finite halts this step and all behind it, as in scalar_step.wgsl.\n\n@group(0) @binding(1) var<storage, read> losses: array<f32>;\n@group(0) @binding(3) var<storage, read_write> control: array<u32>;\n@group(0) @binding(4) var<storage, read_write> steps: array<vec4<u32>>;\n@group(0) @binding(6) var<storage, read_write> records: array<f32>;\n\n#insert ROUND\n#include \"finite.wgsl\"\n\n@compute @workgroup_size(1)\nfn main() {\n#insert PROGRAM\n  // The step's record is begun, and counted.\n  let at = (control[0] - 1u) * {RECORD_WORDS};\n#insert RECORD\n  if (control[1] != 0u) { return; }\n  let accepted = round_coefficient(bitcast<f32>(steps[0].z) * {CHOSEN});\n  if ({FINITE}) {\n    steps[0].z = bitcast<u32>(accepted);\n    records[at + {COEFFICIENT}] = accepted;\n  } else {\n    steps[0].z = 0u;\n    records[at] = 0.0;\n    control[1] = 1u;\n  }\n}\n";
export default text;
