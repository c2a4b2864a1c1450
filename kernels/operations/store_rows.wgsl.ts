/**
 * The text of store_rows.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Puts this forward's keys or values into the cache: cache[b, slot[m], :] = x[b, m, :].\n\nstruct Params {\n  rows: u32,\n  quads: u32,\n  total: u32,\n  cache_rows: u32,\n  slots: u32,     // where slots start in the batch\n}\n\n@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n@group(0) @binding(2) var<storage, read> batch: array<u32>;\n@group(0) @binding(3) var<storage, read_write> cache: array<vec4<f32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {\n  let flat = id.y * (wg.x * 64u) + id.x;\n  if (flat >= p.total) { return; }\n  let row = flat / p.quads;\n#if ROLLING\n  let slot = batch[p.slots + row % p.rows] % p.cache_rows;\n#else\n  let slot = batch[p.slots + row % p.rows];\n#endif\n  cache[((row / p.rows) * p.cache_rows + slot) * p.quads + flat % p.quads] = x[flat];\n}\n";
export default text;
