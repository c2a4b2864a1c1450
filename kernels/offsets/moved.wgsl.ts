/**
 * The text of moved.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Trained offsets as the branches of a forward see them: what is stored, and a branch's multiple of fresh noise. All that a shader needs\n// to know of offsets and noise. What bindPerturbation (bind.ts) gives has its place here: bindings 8 and 9, and in the including file's\n// parameters `tensor`, `traits` and `width`, one after the other.\n\n#include \"noise.wgsl\"\n#include \"combine.wgsl\"\n\n#if FORM != none\n@group(0) @binding(8) var<storage, read> offsets: array<vec4<f32>>;\n#if NOISE\n@group(0) @binding(9) var<storage, read> branches: array<Branch>;\n\n// z of a seed for a quad of offsets that are stored as w: for branches that share it.\nfn drawn4(w: vec4<f32>, seed: vec2<u32>, quad: u32) -> vec4<f32> {\n  return free4(w, noise4(seed, p.tensor, p.traits, quad, p.width));\n}\n\n// A quad of offsets that are stored as w, as a branch sees it.\nfn moved4(w: vec4<f32>, branch: Branch, quad: u32) -> vec4<f32> {\n#if TANGENT\n  return branch.amplitude * drawn4(w, branch.seed, quad);\n#else\n  return w + branch.amplitude * drawn4(w, branch.seed, quad);\n#endif\n}\n#endif\n\n// A quad of offsets as branch b sees it.\nfn offset4(b: u32, quad: u32) -> vec4<f32> {\n#if TANGENT\n  // The first branch is the value itself.\n  return moved4(offsets[quad], branches[b + 1u], quad);\n#elif NOISE\n  return moved4(offsets[quad], branches[b], quad);\n#else\n  return offsets[quad];\n#endif\n}\n#endif\n";
export default text;
