// w[i] += sum over directions of coefficient * z: the only place a stored offset changes. The coefficient has at most 16
// significant bits and z at most 7, so each product is exact, and fused or not the sum rounds once: same bits everywhere.
// With an update rule that sum is minus the gradient that the rule moves w by, in arithmetic with the same bits everywhere too
// (optim/algebra/element_ops.ts); its state lies beside the offsets.
// One invocation a quad of one arena; a table of sections says which tensor a quad belongs to.
// Where tensors move in turns, the seed's second word names the block that has its turn, the section its tensor's place.
// A replay takes many steps at once: `directions` is then all of theirs, `per_step` those of one.

#include "noise.wgsl"

struct Params {
  quads: u32,
  sections: u32,
  directions: u32,
  per_step: u32,
  zero: u32,
}

struct Section {
  first: u32,   // quad
  quads: u32,
  tensor: u32,  // id for the noise
#if MIXED
  bounded: u32, // 1 where offsets are relative to what has a sign to keep, and 2 more where they move along the gradient alone
#else
  bounded: u32, // 1 where offsets are relative to what has a sign to keep
#endif
  place: u32,
  width: u32,   // quads of a row of the offsets' matrix
  traits: u32,  // what its noise differs by, see packNoise
#if GROUPS
  pace: f32,    // multiplies coefficients, which are rounded again
  rate: u32,    // which set of the rule's host scalars is its own
#endif
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> sections: array<Section>;
// Per direction: seed lo, seed hi, coefficient (f32 bits), 1 where an update rule acts. Coefficients of a halted step are 0.
@group(0) @binding(2) var<storage, read> steps: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> offsets: array<vec4<f32>>;
#if RULE
// Of each step the rule's host scalars.
@group(0) @binding(4) var<storage, read> rule_inputs: array<f32>;
#for s STATES
@group(0) @binding({s+5}) var<storage, read_write> state{s}: array<vec4<f32>>;
#endfor

#insert RULE_PROGRAM
#endif
#if GRADIENT
#if MIXED
// What a step's last direction is: the slopes of the loss. The others are noise.
#else
// What is moved along instead of noise: the slopes of the loss.
#endif
@group(0) @binding(7) var<storage, read> gradient: array<vec4<f32>>;
#endif

#include "direction_turns.wgsl"

#if GROUPS
#insert ROUND
#endif
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let quad = id.y * (wg.x * 64u) + id.x;
  if (quad >= p.quads) { return; }
  var low = 0u;
  var high = p.sections;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (sections[middle].first <= quad) { low = middle; } else { high = middle; }
  }
  let section = sections[low];
  let local = quad - section.first;
  if (local >= section.quads) { return; }
  let before = offsets[quad];
  var w = before;
#if RULE
  var first_state = vec4<f32>(0.0);
  var second_state = vec4<f32>(0.0);
#if STATES != 0
  first_state = state0[quad];
#endif
#if STATES == 2
  second_state = state1[quad];
#endif
#endif
  for (var first = 0u; first < p.directions; first += p.per_step) {
#if RULE
    var sum = vec4<f32>(0.0);
    var acts = false;
#endif
    for (var d = first; d < first + p.per_step; d++) {
      let step = steps[d];
#if GROUPS
      let coefficient = round_coefficient(bitcast<f32>(step.z) * section.pace);
#else
      let coefficient = bitcast<f32>(step.z);
#endif
      // A decay moves along the offset itself, by a power of two: that product is exact as well.
      let own = all(step.xy == vec2<u32>(0xffffffffu));
#include "direction_takes_part.wgsl"
#if RULE && !RESTS && !MIXED
      // A gradient of zeros is one: momentum goes on.
      acts = acts || (takes_part && step.w != 0u);
#endif
#if MIXED
      let is_gradient = d + 1u == first + p.per_step;
      let is_exact = (section.bounded & 2u) != 0u;
#if RULE
      // A rule is for what moves along the gradient alone.
      acts = acts || (is_exact && is_gradient && step.w != 0u);
      if (coefficient != 0.0 && is_exact && is_gradient) { sum += coefficient * gradient[quad]; }
#else
      if (coefficient != 0.0 && is_gradient) { w += coefficient * gradient[quad]; }
#endif
      if (coefficient != 0.0 && !is_exact && !is_gradient) {
        w += coefficient * noise4(step.xy, section.tensor, section.traits, local, section.width);
      }
#else
      if (coefficient != 0.0 && takes_part) {
#if GRADIENT && RULE
        acts = acts || step.w != 0u;
        sum += coefficient * gradient[quad];
#elif GRADIENT
        w += coefficient * gradient[quad];
#elif RULE
        acts = acts || step.w != 0u;
        sum += coefficient * noise4(step.xy, section.tensor, section.traits, local, section.width);
#else
        if (own) { w += coefficient * w; } else { w += coefficient * noise4(step.xy, section.tensor, section.traits, local, section.width); }
#endif
      }
#endif
    }
#if RULE
    if (acts) {
#if GROUPS
      let at = (first / p.per_step * RATES + section.rate) * INPUTS;
#else
      let at = first / p.per_step * INPUTS;
#endif
#for e 4
      let moved{e} = move_element(w[{e}], -sum[{e}], vec2<f32>(first_state[{e}], second_state[{e}]), at);
#endfor
      w = vec4<f32>(moved0.x, moved1.x, moved2.x, moved3.x);
      first_state = vec4<f32>(moved0.y, moved1.y, moved2.y, moved3.y);
      second_state = vec4<f32>(moved0.z, moved1.z, moved2.z, moved3.z);
    }
#endif
#if KEEP_SIGN
    // A relative offset of -1 brings its scale to zero; it goes no further.
    // A comparison, as on the host: max may turn NaN into -1 and so hide it.
#if MIXED
    if ((section.bounded & 1u) != 0u) { w = select(w, vec4<f32>(-1.0), vec4<f32>(-1.0) > w); }
#else
    if (section.bounded != 0u) { w = select(w, vec4<f32>(-1.0), vec4<f32>(-1.0) > w); }
#endif
#endif
#if FROZEN == bit
    // Odd bits are those of frozen offsets.
    let bits = bitcast<vec4<u32>>(w);
    w = bitcast<vec4<f32>>((bits + ((bits >> vec4<u32>(1u)) & vec4<u32>(1u))) & vec4<u32>(0xfffffffeu));
#endif
  }
  let frozen = frozen4(before);
  offsets[quad] = select(w, before, frozen);
#if RULE && STATES != 0
  state0[quad] = select(first_state, state0[quad], frozen);
#endif
#if RULE && STATES == 2
  state1[quad] = select(second_state, state1[quad], frozen);
#endif
}
