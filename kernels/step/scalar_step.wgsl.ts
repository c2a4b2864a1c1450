/**
 * The text of scalar_step.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// The scalar part of a training step, one invocation: losses to derivatives to coefficients, as the optimiser's own program
// says, then the record. A loss, coefficient or state that is not finite halts this step and all behind it: they move nothing.

struct Branch {
  seed: vec2<u32>,
  amplitude: f32,
  reserved: u32,
}

@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> control: array<u32>;
@group(0) @binding(4) var<storage, read_write> steps: array<vec4<u32>>;
#insert INPUTS
#insert SEEDS
#insert TRIAL
@group(0) @binding(6) var<storage, read_write> records: array<f32>;

#insert ROUND
#include "finite.wgsl"

@compute @workgroup_size(1)
fn main() {
#insert PROGRAM
  let moves = control[1] == 0u && {FINITE};
#insert COEFFICIENTS
#insert TRY
  let at = control[0] * {RECORD_WORDS};
  records[at] = select(0.0, 1.0, moves);
#insert RECORD
  control[0] += 1u;
  if (moves) {
#insert STATE
  } else {
    control[1] = 1u;
  }
}
`;
export default text;
