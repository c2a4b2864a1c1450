// y[b, m, n] = sum_k W_b[n, k] x[b, m, k] (+ bias[n]) (+ residual[b, m, n])
//
// A register tile of ROWS x COLS per invocation, no workgroup memory: what a software adapter wants. Weights stay packed; a
// block of 32 columns is BITS words a row (see quant/layout.ts). Per unit of columns (the finer of scale group and offset
// span) one partial dot product per row and column is formed, then scaled by that branch's scale: the perturbation costs
// one multiply-add a group, not a weight.
//
// Loops end with their test: a software adapter runs the body once more, masked, after a test at the top has failed, which
// for the short loops of a block costs as much as the work.
//
// Layouts: x [B][M][K], y [B][M][N], offsets [span][stride].

#include "noise.wgsl"
#include "combine.wgsl"

#include "matmul_params.wgsl"
#if LAYOUT == scalar
#include "code_table.wgsl"
#elif LAYOUT == column
#include "code_table.wgsl"
#elif LAYOUT == super
#include "code_table.wgsl"
#include "super_scales.wgsl"
#if GRID != none
#include "grid_points.wgsl"
#endif
#endif

#if LAYOUT != dense && LAYOUT != super && LAYOUT != column && SCALE_UNITS == 1
fn half_at(index: u32) -> f32 {
  return unpack2x16float(scales[index >> 1u] >> ((index & 1u) * 16u)).x;
}
#endif

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = p.first_group * WORKGROUP + id.y * (wg.x * WORKGROUP) + id.x;
  let column0 = (flat % p.column_tiles) * COLS;
  let row_tile = flat / p.column_tiles;
#if MIXED
  // Few rows: the tile takes all branches' rows, each with its own branch.
  let row0 = row_tile * ROWS;
  if (row0 >= p.total_rows) { return; }
  let row_end = p.total_rows;
#elif WINDOW == rows
  // Rows that fit a uniform binding: one branch, a few tiles.
  let b = p.first_row / p.rows;
  let row0 = p.first_row + row_tile * ROWS;
  if (row0 >= p.end_row) { return; }
  let row_end = p.end_row;
#else
  // Many rows: a tile stays within one branch.
  let b = row_tile / p.row_tiles;
  let row0 = b * p.rows + (row_tile % p.row_tiles) * ROWS;
  if (b * p.rows >= p.total_rows) { return; }
  let row_end = (b + 1u) * p.rows;
#endif
  let quads = p.columns / 4u;
  // Rows and columns beyond the edge repeat the last one; they are computed and not stored.
#for r ROWS
#if WINDOW == rows
  let x{r} = (min(row0 + {r}u, row_end - 1u) - p.first_row) * quads;
#else
  let x{r} = min(row0 + {r}u, row_end - 1u) * quads;
#endif
#endfor
#if NOISE
  // Read once: a load costs a software adapter as much as dozens of operations.
#if MIXED
#for r ROWS
  let branch{r} = branches[min(row0 + {r}u, row_end - 1u) / p.rows];
#endfor
#if LAYOUT != dense
  var seeds = 1u;
#for r ROWS
  seeds = select(seeds, {ROWS}u, any(branch{r}.seed != branch0.seed));
#endfor
#endif
#else
  let branch = branches[b];
#endif
#endif
#for c COLS
  let n{c} = min(column0 + {c}u, p.outputs - 1u);
#endfor
#for r ROWS
#for c COLS
  var acc{r}_{c} = 0.0;
#endfor
#endfor

#if LAYOUT == dense
  var step = 0u;
  loop {
#for c COLS
    let packed{c} = codes[n{c} * (quads / DENSE_QUADS) + step];
#endfor
#for h DENSE_QUADS
    {
      let k = step * DENSE_QUADS + {h}u;
#for c COLS
#if DENSE == f32
      let w{c} = bitcast<vec4<f32>>(packed{c});
#else
      let lo{c} = packed{c}[{h*2}];
      let hi{c} = packed{c}[{h*2+1}];
#if DENSE == f16
      let w{c} = vec4<f32>(unpack2x16float(lo{c}), unpack2x16float(hi{c}));
#else
      let w{c} = bitcast<vec4<f32>>(vec4<u32>(lo{c} << 16u, lo{c} & 0xffff0000u, hi{c} << 16u, hi{c} & 0xffff0000u));
#endif
#endif
#if FORM != none
      let e{c} = (p.first_output + n{c}) * quads + k;
      let o{c} = offsets[e{c}];
#if !MIXED && NOISE
      let v{c} = combine4(w{c}, o{c} + branch.amplitude * free4(o{c}, noise4(branch.seed, p.tensor, p.told, e{c}, quads)));
#elif !MIXED
      let v{c} = combine4(w{c}, o{c});
#endif
#else
      let v{c} = w{c};
#endif
#endfor
#for r ROWS
      {
        let xr = x[x{r} + k];
#if MIXED && FORM != none
#if NOISE
#for c COLS
        acc{r}_{c} += dot(xr, combine4(w{c}, o{c} + branch{r}.amplitude * free4(o{c}, noise4(branch{r}.seed, p.tensor, p.told, e{c}, quads))));
#endfor
#else
#for c COLS
        acc{r}_{c} += dot(xr, combine4(w{c}, o{c}));
#endfor
#endif
#else
#for c COLS
        acc{r}_{c} += dot(xr, v{c});
#endfor
#endif
      }
#endfor
    }
#endfor
    step++;
    if (step >= quads / DENSE_QUADS) { break; }
  }
#else
  let blocks = p.columns / 32u;
  let unit_blocks = p.unit_columns / 32u;
#if FORM != none
  // Counted, since a division costs a software adapter as much as the noise. First: where the span begins, in quads.
  var units_left = 0u;
  var first = 0u;
#for q COL_QUADS
  let row_quad{q} = offset_row(column0 + {q*4}u) / 4u;
#endfor
  // Four neighbouring columns share one call of the generator.
#if MIXED && NOISE
#for r ROWS
  var offset{r} = array<vec4<f32>, {COL_QUADS}>();
#endfor
#else
  var offset = array<vec4<f32>, {COL_QUADS}>();
#endif
#endif
#if SCALE_UNITS != 1
  var held_unit = 0u;
  loop {
#for c COLS
#if LAYOUT != super
    let held{c} = scales[(n{c} * p.groups + held_unit) / SCALE_UNITS];
#elif SUPER_WORDS == 0
    let held{c} = vec4<u32>(scales[n{c} * ((p.groups + 3u) / 4u) + held_unit / 4u], 0u, 0u, 0u);
#elif SUPER_WORDS == 2
    let at_scales{c} = (n{c} * p.groups + held_unit) / 4u;
    let held{c} = vec4<u32>(scales[at_scales{c}], scales[at_scales{c} + 1u], 0u, 0u);
#elif SUPER_WORDS == 4
    let held{c} = scales[(n{c} * p.groups + held_unit) / 8u];
#else
    let at_scales{c} = (n{c} * p.groups + held_unit) / 8u * SUPER_WORDS;
    let held{c} = vec4<u32>(scales[at_scales{c}], scales[at_scales{c} + 1u], scales[at_scales{c} + 2u], scales[at_scales{c} + 3u]);
    let last{c} = vec2<u32>(scales[at_scales{c} + 4u], scales[at_scales{c} + SUPER_WORDS - 1u]);
#endif
#endfor
  var u = held_unit;
#else
  var u = 0u;
#endif
  loop {
#if FORM != none
    if (units_left == 0u) {
      units_left = p.units_per_span;
#for q COL_QUADS
      {
        let w = offsets[first + row_quad{q}];
#if MIXED && NOISE
#if ROWS == 1
        offset0[{q}] = w + branch0.amplitude * free4(w, noise4(branch0.seed, p.tensor, p.told, first + row_quad{q}, p.stride / 4u));
#else
        // Once for all rows when they share the seed: a loop, since software adapters run both sides of an if.
        var s = 0u;
        loop {
          var seed = branch0.seed;
#for r ROWS
          seed = select(seed, branch{r}.seed, s == {r}u);
#endfor
          let z = free4(w, noise4(seed, p.tensor, p.told, first + row_quad{q}, p.stride / 4u));
#for r ROWS
          offset{r}[{q}] = select(offset{r}[{q}], w + branch{r}.amplitude * z, seeds == 1u || s == {r}u);
#endfor
          s++;
          continuing {
            break if s >= seeds;
          }
        }
#endif
#elif NOISE
        offset[{q}] = w + branch.amplitude * free4(w, noise4(branch.seed, p.tensor, p.told, first + row_quad{q}, p.stride / 4u));
#else
        offset[{q}] = w;
#endif
      }
#endfor
      first += p.stride / 4u;
    }
    units_left--;
#endif
#for r ROWS
#for c COLS
    var p{r}_{c} = 0.0;
#endfor
#if SECOND == min
    var sum{r} = 0.0;
#endif
#endfor
#if LAYOUT == super
#for c COLS
#if SUPER_TAIL
    let both{c} = super_scales(held{c}, last{c}, u % SCALE_UNITS);
#else
    let both{c} = super_scales(held{c}, vec2<u32>(), u % SCALE_UNITS);
#endif
    let second{c} = both{c}.z;
#endfor
#elif SECOND != none
#if PLANE == minima
    var minima4 = array<vec4<f32>, {COL_QUADS}>();
#for q COL_QUADS
    minima4[{q}] = minima[(b * p.groups + u / p.units_per_group) * p.row_quads + column0 / 4u + {q}u];
#endfor
#endif
#for c COLS
#if SCALE_UNITS != 1
    let pair{c} = unpack2x16float(held{c}[u % SCALE_UNITS]);
#else
    let pair{c} = unpack2x16float(scales[n{c} * p.groups + u / p.units_per_group]);
#endif
#if PLANE == minima
    let second{c} = minima4[{c} / 4][{c} % 4];
#else
    let second{c} = pair{c}.y;
#endif
#endfor
#endif
#if UNIT_BLOCKS == 1
    let block = u;
    {
#else
    let last = min((u + 1u) * unit_blocks, blocks);
    var block = u * unit_blocks;
    loop {
#endif
#if LAYOUT == codebook
#for c COLS
#if CODE_WORDS == 1
      let at{c} = (n{c} * (blocks * BLOCK_WORDS / WORD_BLOCKS) + block * BLOCK_WORDS / WORD_BLOCKS) * BOOKS;
#for i BLOCK_WORDS
#for book BOOKS
      let codes{c}_{i}_{book} = codes[at{c} + {i*BOOKS+book}u];
#endfor
#endfor
#else
      let words{c} = codes[n{c} * blocks + block];
#for i BLOCK_WORDS
#for book BOOKS
      let codes{c}_{i}_{book} = words{c}[{i*BOOKS+book}];
#endfor
#endfor
#endif
#endfor
#for i BLOCK_WORDS
      {
        // Vectors of this word in this block; a word of several blocks starts at the block's own.
        let vectors = WORD_VECTORS / WORD_BLOCKS;
        let first_vector = (block % WORD_BLOCKS) * vectors;
        var vector = 0u;
        loop {
#for c COLS
#for book BOOKS
          let code{c}_{book} = (codes{c}_{i}_{book} >> ((first_vector + vector) * CODE_WIDTH)) & (ENTRIES - 1u);
#endfor
#endfor
#for o VECTOR_OCTETS
#if PLANE == none
#for c COLS
#for book BOOKS
          let entry{c}_{book}_{o} = codebook[({book}u * ENTRIES + code{c}_{book}) * VECTOR_OCTETS + {o}u];
#endfor
#endfor
#endif
#for h 2
          {
            let k = block * 8u + ({i}u * vectors + vector) * VECTOR_QUADS + {o*2+h}u;
#for c COLS
            var v{c} = vec4<f32>();
#for book BOOKS
#if PLANE == codebook
            v{c} += codebook[((b * BOOKS + {book}u) * ENTRIES + code{c}_{book}) * VECTOR_QUADS + {o*2+h}u];
#else
            v{c} += vec4<f32>(unpack2x16float(entry{c}_{book}_{o}[{h*2}]), unpack2x16float(entry{c}_{book}_{o}[{h*2+1}]));
#endif
#endfor
#endfor
#include "row_dots.wgsl"
          }
#endfor
#endfor
          vector++;
          if (vector >= vectors) { break; }
        }
      }
#endfor
#elif GRID != none
#for c COLS
      let at{c} = n{c} * blocks + block;
#if BITS == 1
      let low{c} = codes[at{c}];
      let signs{c} = 0u;
#elif BITS == 2
      let low{c} = codes[at{c}].x;
      let signs{c} = codes[at{c}].y;
#else
      let low{c} = codes[at{c} * 3u];
      let upper{c} = codes[at{c} * 3u + 1u];
      let signs{c} = codes[at{c} * 3u + 2u];
#endif
      let high{c} = grid_high(held{c}, u % SCALE_UNITS);
#endfor
      var i = 0u;
      loop {
#for c COLS
#if BITS == 3
        let point{c} = grid_point((select(low{c}, upper{c}, i > 3u) >> (8u * (i & 3u))) & 255u, high{c}, i);
#else
        let point{c} = grid_point((low{c} >> (8u * i)) & 255u, high{c}, i);
#endif
#endfor
#for h POINT_QUADS
        {
          let t = i * POINT_QUADS + {h}u;
          let k = block * 8u + t;
#for c COLS
#if SUPER_GROUP == 16
          let v{c} = grid4(point{c} >> {h*8}u, signs{c} >> (4u * t), high{c}, i) * select(both{c}.x, both{c}.y, t > 3u);
#else
          let v{c} = grid4(point{c} >> {h*8}u, signs{c} >> (4u * t), high{c}, i);
#endif
#endfor
#include "row_dots.wgsl"
        }
#endfor
        i++;
        if (i >= BLOCK_POINTS) { break; }
      }
#else
#for c COLS
      let at{c} = n{c} * blocks + block;
#if BITS == 8
      let words{c} = array<vec4<u32>, 2>(codes[at{c} * 2u], codes[at{c} * 2u + 1u]);
#elif BITS == 3
      let words{c} = vec2<u32>(codes[at{c} * 3u], codes[at{c} * 3u + 1u]);
      let tops{c} = codes[at{c} * 3u + 2u];
#elif BITS == 5
      let words{c} = vec4<u32>(codes[at{c} * 5u], codes[at{c} * 5u + 1u], codes[at{c} * 5u + 2u], codes[at{c} * 5u + 3u]);
      let tops{c} = codes[at{c} * 5u + 4u];
#elif BITS == 6
      let words{c} = vec4<u32>(codes[at{c} * 3u], codes[at{c} * 3u + 1u]);
      let tops{c} = codes[at{c} * 3u + 2u];
#else
      let words{c} = codes[at{c}];
#endif
#endfor
      var word = 0u;
      loop {
#for c COLS
#if BITS == 8
        let word{c} = select(words{c}[0], words{c}[1], word > 3u)[word & 3u];
#else
        let word{c} = words{c}[word];
#endif
#if TOP_BITS == 1
        let top{c} = tops{c} >> word;
#elif TOP_BITS == 2
        let top{c} = tops{c}[word & 1u] >> (word & 2u);
#endif
#endfor
#for s QUADS_PER_WORD
        {
          let k = block * 8u + {s}u * {PLANE_BITS}u + word;
#for c COLS
          let q{c} = (word{c} >> {s*PLANE_BITS}u) & {MASK}u;
#if TOP_BITS != 0
          let t{c} = ((top{c} >> {s*PLANE_BITS}u) & {TOP_MASK}u) << {PLANE_BITS}u;
          let i{c} = q{c} | t{c};
#else
          let i{c} = q{c};
#endif
#if LAYOUT == super && SUPER_GROUP == 16
          // Quads 0 to 3 are the first group of 16, 4 to 7 the second.
#if SCALES == q2_k
          let v{c} = meaning4(i{c}) * both{c}[{s}u * PLANE_BITS / 4u] + both{c}[2u + {s}u * PLANE_BITS / 4u];
#else
          let v{c} = meaning4(i{c}) * both{c}[{s}u * PLANE_BITS / 4u];
#endif
#elif LAYOUT == column
          let v{c} = column_values(meaning4(i{c}), codebook[(n{c} % p.groups) * quads + k]);
#elif SECOND == zero
          let v{c} = meaning4(i{c}) - second{c};
#else
          let v{c} = meaning4(i{c});
#endif
#endfor
#include "row_dots.wgsl"
        }
#endfor
        word++;
        if (word >= {PLANE_BITS}u) { break; }
      }
#endif
#if UNIT_BLOCKS != 1
      block++;
      if (block >= last) { break; }
#endif
    }
#for c COLS
    {
#if LAYOUT == super && SUPER_GROUP == 16
      // Scales are in the sum already.
      let base = 1.0;
#elif LAYOUT == super
      let base = both{c}.x;
#elif LAYOUT == column
      let base = 1.0;
#elif LAYOUT == codebook
      let base = half_at(n{c});
#elif SECOND == none && SCALE_UNITS != 1
      let base = unpack2x16float(held{c}[(u % SCALE_UNITS) / 2u] >> ((u & 1u) * 16u)).x;
#elif SECOND == none
      let base = half_at(n{c} * p.groups + u / p.units_per_group);
#else
      let base = pair{c}.x;
#endif
#for r ROWS
      {
#if MINIMA_MOVE
        // Offsets multiply scale and minimum alike.
        let part = base * p{r}_{c} + second{c} * sum{r};
#if MIXED && NOISE
        acc{r}_{c} += combine(part, offset{r}[{c} / 4][{c} % 4]);
#else
        acc{r}_{c} += combine(part, offset[{c} / 4][{c} % 4]);
#endif
#else
#if FORM == none
        let factor = base;
#elif MIXED && NOISE
        let factor = combine(base, offset{r}[{c} / 4][{c} % 4]);
#else
        let factor = combine(base, offset[{c} / 4][{c} % 4]);
#endif
#if SECOND == min
        acc{r}_{c} += factor * p{r}_{c} + second{c} * sum{r};
#else
        acc{r}_{c} += factor * p{r}_{c};
#endif
#endif
      }
#endfor
    }
#endfor
    u++;
#if SCALE_UNITS != 1
#if LAYOUT == super && SUPER_WORDS == 0
    if (u >= min(held_unit + SCALE_UNITS, p.units)) { break; }
#else
    if (u >= held_unit + SCALE_UNITS) { break; }
#endif
  }
    held_unit += SCALE_UNITS;
    if (held_unit >= p.units) { break; }
  }
#else
    if (u >= p.units) { break; }
  }
#endif
#endif

#for r ROWS
  if (row0 + {r}u < row_end) {
    let at = (row0 + {r}u) * p.total_outputs + p.first_output + column0;
#for c COLS
    if (column0 + {c}u < p.outputs) {
      var value = acc{r}_{c};
#if BIAS
      value += bias[p.first_output + column0 + {c}u];
#endif
#if RESIDUAL
      value += residual[at + {c}u];
#endif
      y[at + {c}u] = value;
    }
#endfor
  }
#endfor
}
