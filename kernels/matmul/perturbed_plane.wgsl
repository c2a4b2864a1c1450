// y[b] = base (+) (offset + amplitude_b * z): the entries of a tensor's codebooks, or its minima (zero points), as each branch has
// them, in f32. One invocation four neighbours: of the books' plane, or four rows of a group, [group][row].

#include "moved.wgsl"

struct Params {
  branches: u32,
  quads: u32,           // of one branch's plane
  row_quads: u32,       // PLANE == minima: quads of a group
  rows: u32,            // of this piece of the tensor
  groups: u32,
  groups_per_span: u32,
  first_quad: u32,      // where the piece's rows begin in a span of the offsets
  tensor: u32,          // these three: see bindPerturbation
  traits: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> base: array<u32>;
#if PLANE == ragged
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
#else
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.branches * p.quads) { return; }
  let quad = flat % p.quads;
#if PLANE == codebook
  let at = quad;
  let value = vec4<f32>(unpack2x16float(base[quad * 2u]), unpack2x16float(base[quad * 2u + 1u]));
#elif PLANE == vector
  // A vector of f32, such as a bias.
  let at = quad;
  let first = quad * 4u;
  let value = bitcast<vec4<f32>>(vec4(base[first], base[first + 1u], base[first + 2u], base[first + 3u]));
#elif PLANE == ragged
  // One whose length, in `rows`, is no multiple of 4: of the last four some are not there.
  let at = quad;
  let first = quad * 4u;
  var value = vec4<f32>();
#for i 4
  value[{i}] = bitcast<f32>(base[min(first + {i}u, p.rows - 1u)]);
#endfor
#else
  let group = quad / p.row_quads;
  let row = (quad % p.row_quads) * 4u;
  let at = (group / p.groups_per_span) * p.width + p.first_quad + row / 4u;
  var value = vec4<f32>();
#for i 4
  value[{i}] = unpack2x16float(base[min(row + {i}u, p.rows - 1u) * p.groups + group]).y;
#endfor
#endif
#if PLANE == ragged
  let moved = combine4(value, offset4(flat / p.quads, at));
#for i 4
#if BEHIND
  if (first + {i}u < p.rows) { y[(flat / p.quads + 1u) * p.rows + first + {i}u] = moved[{i}]; }
#else
  if (first + {i}u < p.rows) { y[(flat / p.quads) * p.rows + first + {i}u] = moved[{i}]; }
#endif
#endfor
#elif BEHIND
  // Tangents, behind the vector itself.
  y[flat + p.quads] = combine4(value, offset4(flat / p.quads, at));
#else
  y[flat] = combine4(value, offset4(flat / p.quads, at));
#endif
}
