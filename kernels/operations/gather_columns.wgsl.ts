/**
 * The text of gather_columns.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// y[row][j] = x[row][order[j]]

struct Params {
  total: u32, // quads
  quads: u32, // of a row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> order: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let quad = flat % p.quads;
  let row = (flat - quad) * 4u;
  let o = order[quad];
  y[flat] = vec4(x[row + o.x], x[row + o.y], x[row + o.z], x[row + o.w]);
}
`;
export default text;
