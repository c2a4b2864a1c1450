/**
 * The text of scalar_step.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// The scalar part of a training step, one invocation: losses to derivatives to coefficients, as the optimiser's own program\n// says, then the record. A loss, coefficient or state that is not finite halts this step and all behind it: they move nothing.\n\nstruct Branch {\n  seed: vec2<u32>,\n  amplitude: f32,\n  reserved: u32,\n}\n\n@group(0) @binding(1) var<storage, read> losses: array<f32>;\n@group(0) @binding(3) var<storage, read_write> control: array<u32>;\n@group(0) @binding(4) var<storage, read_write> steps: array<vec4<u32>>;\n#insert INPUTS\n#insert SEEDS\n#insert TRIAL\n@group(0) @binding(6) var<storage, read_write> records: array<f32>;\n\n#insert ROUND\n#include \"finite.wgsl\"\n\n@compute @workgroup_size(1)\nfn main() {\n#insert PROGRAM\n  let moves = control[1] == 0u && {FINITE};\n#insert COEFFICIENTS\n#insert TRY\n  let at = control[0] * {RECORD_WORDS};\n  records[at] = select(0.0, 1.0, moves);\n#insert RECORD\n  control[0] += 1u;\n  if (moves) {\n#insert STATE\n  } else {\n    control[1] = 1u;\n  }\n}\n";
export default text;
