// Trained offsets as the branches of a forward see them: what is stored, and a branch's multiple of fresh noise. All that a shader needs
// to know of offsets and noise. What bindPerturbation (bind.ts) gives has its place here: bindings 8 and 9, and in the including file's
// parameters `tensor`, `traits` and `width`, one after the other.

#include "noise.wgsl"
#include "combine.wgsl"

#if FORM != none
@group(0) @binding(8) var<storage, read> offsets: array<vec4<f32>>;
#if NOISE
@group(0) @binding(9) var<storage, read> branches: array<Branch>;

// z of a seed for a quad of offsets that are stored as w: for branches that share it.
fn drawn4(w: vec4<f32>, seed: vec2<u32>, quad: u32) -> vec4<f32> {
  return free4(w, noise4(seed, p.tensor, p.traits, quad, p.width));
}

// A quad of offsets that are stored as w, as a branch sees it.
fn moved4(w: vec4<f32>, branch: Branch, quad: u32) -> vec4<f32> {
#if TANGENT
  return branch.amplitude * drawn4(w, branch.seed, quad);
#else
  return w + branch.amplitude * drawn4(w, branch.seed, quad);
#endif
}
#endif

// A quad of offsets as branch b sees it.
fn offset4(b: u32, quad: u32) -> vec4<f32> {
#if TANGENT
  // The first branch is the value itself.
  return moved4(offsets[quad], branches[b + 1u], quad);
#elif NOISE
  return moved4(offsets[quad], branches[b], quad);
#else
  return offsets[quad];
#endif
}
#endif
