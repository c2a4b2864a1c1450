/**
 * The text of copy_block.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// target = source, a block of words: what a copy command does, but without ending the pass it stands in.

@group(0) @binding(1) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> block: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < arrayLength(&block)) { block[id.x] = source[id.x]; }
}
`;
export default text;
