// The second half of a step that was tried: the losses of its multiples decide which is made. One invocation. A loss that is not
// finite halts this step and all behind it, as in scalar_step.wgsl.

@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> control: array<u32>;
@group(0) @binding(4) var<storage, read_write> steps: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read_write> records: array<f32>;

#insert ROUND
#include "finite.wgsl"

@compute @workgroup_size(1)
fn main() {
#insert PROGRAM
  // The step's record is begun, and counted.
  let at = (control[0] - 1u) * {RECORD_WORDS};
#insert RECORD
  if (control[1] != 0u) { return; }
  let accepted = round_coefficient(bitcast<f32>(steps[0].z) * {CHOSEN});
  if ({FINITE}) {
    steps[0].z = bitcast<u32>(accepted);
    records[at + {COEFFICIENT}] = accepted;
  } else {
    steps[0].z = 0u;
    records[at] = 0.0;
    control[1] = 1u;
  }
}
