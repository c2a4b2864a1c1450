/**
 * The text of copy_block.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// target = source, a block of words: what a copy command does, but without ending the pass it stands in.\n\n@group(0) @binding(1) var<storage, read> source: array<vec4<u32>>;\n@group(0) @binding(3) var<storage, read_write> block: array<vec4<u32>>;\n\n@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>) {\n  if (id.x < arrayLength(&block)) { block[id.x] = source[id.x]; }\n}\n";
export default text;
