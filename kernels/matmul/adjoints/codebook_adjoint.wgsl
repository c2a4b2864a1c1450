// Sums, for every entry of a tensor's codebooks, of the slopes of a loss by the vectors that it stands for, times their scales. Every slice of
// the rows has sums of its own; within it a lane owns the entries whose number is its own modulo LANES, goes over all codes, and adds where one
// is its own: no two invocations add to the same sum, and the order is that of the codes.

#include "moved.wgsl"

struct Params {
  rows: u32,         // of slopes
  columns: u32,      // K
  slices: u32,
  fresh: u32,        // 1: sums begin at zero
  first: u32,        // the row of the piece that the first row of slopes is of
  piece_rows: u32,
  first_row: u32,    // where the piece starts in the whole tensor
  index: u32,        // GATHERED: where the row of the tensor of each row of slopes starts in the batch
  shift: u32,        // added to it
  span: u32,
  tensor: u32,
  traits: u32,
  width: u32,
  factor: f32,       // multiplies slopes
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
#if GATHERED
@group(0) @binding(2) var<storage, read> batch: array<u32>;
#endif
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> scales: array<u32>;
@group(0) @binding(6) var<storage, read> slopes: array<vec4<f32>>;

#include "scale_words.wgsl" half_at

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let slice = group.x;
  let first_sum = slice * {BOOKS*ENTRIES*VECTOR_QUADS}u;
  if (p.fresh != 0u) {
    for (var entry = lane; entry < {BOOKS*ENTRIES}u; entry += LANES) {
#for q VECTOR_QUADS
      sums[first_sum + entry * VECTOR_QUADS + {q}u] = vec4<f32>();
#endfor
    }
  }
  let words = p.columns / {VECTOR_QUADS*WORD_VECTORS*4}u;
  let per_slice = (p.rows + p.slices - 1u) / p.slices;
  let end = min(p.rows, (slice + 1u) * per_slice);
  for (var r = slice * per_slice; r < end; r++) {
#if GATHERED
    let n = batch[p.index + r] + p.shift - p.first_row;
    if (n >= p.piece_rows) { continue; }
#elif ONE_ROW
    let n = p.shift - p.first_row;
    if (n >= p.piece_rows) { continue; }
#else
    let n = p.first + r;
#endif
    let scale = half_at(n) * p.factor;
    for (var word = 0u; word < words; word++) {
#for book BOOKS
      let codes{book} = codes[(n * words + word) * BOOKS + {book}u];
#endfor
#for j WORD_VECTORS
#for book BOOKS
      {
        let code = (codes{book} >> ({j}u * CODE_WIDTH)) & (ENTRIES - 1u);
        if (code % LANES == lane) {
          let quad = (word * WORD_VECTORS + {j}u) * VECTOR_QUADS;
#if FORM != none
          let row = p.first_row + n;
          let offset = offset4(0u, quad * 4u / p.span * p.width + row / 4u)[row % 4u];
          let factor = combine(half_at(n), offset) * p.factor;
#else
          let factor = scale;
#endif
          let at = first_sum + ({book}u * ENTRIES + code) * VECTOR_QUADS;
#for q VECTOR_QUADS
          sums[at + {q}u] += factor * slopes[r * (p.columns / 4u) + quad + {q}u];
#endfor
        }
      }
#endfor
#endfor
    }
  }
}
