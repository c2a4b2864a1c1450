// The slope by a value from that by some of its columns: side by side from `first` on, the others zero (ORDERED: in an order of all of them).

struct Params {
  total: u32,   // elements of y
  columns: u32, // of a row of y
  first: u32,
  count: u32,   // columns of a row of x
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
#if ORDERED
@group(0) @binding(2) var<storage, read> order: array<u32>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let flat = id.y * (wg.x * 64u) + id.x;
  if (flat >= p.total) { return; }
  let row = flat / p.columns;
  let column = flat % p.columns;
#if ORDERED
  y[row * p.columns + order[column]] = x[flat];
#else
  if (column >= p.first && column - p.first < p.count) {
    y[flat] = x[row * p.count + column - p.first];
  } else {
    y[flat] = 0.0;
  }
#endif
}
