/**
 * The text of pick_columns.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string = `// y[r, :] = x[r, first : first + width]

struct Params {
  total: u32,   // quads of y
  quads: u32,   // of a row of y
  wide: u32,      // quads of a row of x
  first: u32,   // quad of x's row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  y[flat] = x[flat / p.quads * p.wide + p.first + flat % p.quads];
}
`;
export default text;
