// Attention against its f64 oracle: prefixes and own rows, windows, scales and caps, caches.
import { attention, storeRows, type Value } from "../../../kernels/mod.ts";
import { sharedBehind } from "../../../kernels/operations/leading/copy_rows.ts";
import { attention as attentionOracle, type AttentionRow } from "../../reference/attention.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { sampled } from "../../support/sampled.ts";
import { assertClose, Bench, normals } from "../bench.ts";
import { contextOf } from "../context.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(5);

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Rows of a prompt of 4, two candidates of 3 after it, another sequence of 5, and padding that sees only itself. */
const packedRows: AttentionRow[] = [
  ...range(4).map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 0 })),
  ...range(3).map(() => ({ prefixStart: 0, prefixEnd: 4, ownStart: 4 })),
  ...range(3).map(() => ({ prefixStart: 0, prefixEnd: 4, ownStart: 7 })),
  ...range(5).map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 10 })),
  { prefixStart: 0, prefixEnd: 0, ownStart: 15 },
];

interface Shape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly window?: number;
  readonly scale?: number;
  readonly cap?: number;
  /** Keys that all rows see before theirs. */
  readonly shared?: number;
}

/** What random queries, keys and values over `packedRows` give, and what they should. */
async function attended(branches: number, shape: Shape) {
  using bench = new Bench(gpu);
  const rows = packedRows.length;
  const { heads, kvHeads, headSize, shared: count = 0, ...options } = shape;
  const { shared: _, ...oracleShape } = shape;
  const q = normals(branches * rows * heads * headSize, random, 2);
  const k = normals(branches * rows * kvHeads * headSize, random, 2);
  const v = normals(branches * rows * kvHeads * headSize, random);
  const context = contextOf(bench, { rows }, branches, {
    prefixStart: packedRows.map((r) => r.prefixStart),
    prefixEnd: packedRows.map((r) => r.prefixEnd),
    ownStart: packedRows.map((r) => r.ownStart),
    slots: range(rows),
  });
  const width = kvHeads * headSize;
  // The same for all branches.
  const matrix = (name: string, deviation: number) => {
    const values = normals(count * width, random, deviation);
    const packed = {
      layout: { kind: "dense", type: "f32" },
      ...{ rows: count, columns: width, codes: new Uint32Array(values.buffer) },
      ...{ scales: new Uint32Array(0), codebook: new Uint32Array(0) },
    } as const;
    return { values, tensor: count > 0 ? bench.tensor(name, packed) : undefined };
  };
  const [sharedKeys, sharedValues] = [matrix("shared k", 2), matrix("shared v", 1)];
  const behind = (own: Value, { tensor }: ReturnType<typeof matrix>) =>
    tensor ? sharedBehind(context, own, tensor) : own;
  const y = attention(
    context,
    bench.value("q", q),
    behind(bench.value("k", k), sharedKeys),
    behind(bench.value("v", v), sharedValues),
    { heads, keyValueHeads: kvHeads, headDimension: headSize, ...options, sharedKeys: count },
  );
  const [actual] = await bench.run(y);
  const all = ({ values }: ReturnType<typeof matrix>) =>
    Float32Array.from(range(branches).flatMap(() => [...values]));
  const shared = { count, k: all(sharedKeys), v: all(sharedValues) };
  return [
    actual,
    attentionOracle({ branches, ...oracleShape, shared }, packedRows, q, k, v),
  ] as const;
}

Deno.test("attention over prefixes and own rows, with shared key-value heads", async () => {
  for (
    const [heads, kvHeads, headSize] of [
      [6, 2, 8],
      [4, 4, 12],
      [3, 1, 64],
      // The narrowest that is looped over; the time that a compiler takes grows with the square: 30 s for the last on lavapipe.
      [2, 1, 260],
      ...sampled("wide heads", [[1, 1, 256], [2, 1, 320], [2, 1, 512], [1, 1, 1024]], 1 / 4),
    ]
  ) {
    const [actual, expected] = await attended(3, { heads, kvHeads, headSize });
    assertClose(actual, expected, `attention ${heads}/${kvHeads} of ${headSize}`);
  }
});

Deno.test("attention with a window over the end of a prompt and its own rows, a scale and a cap of its own", async () => {
  for (
    const [headSize, options] of [
      [8, { window: 1 }],
      [8, { window: 2, scale: 0.3 }],
      [12, { window: 3, cap: 1.5 }],
      [12, { window: 5 }],
      [8, { window: 100 }],
      [8, { cap: 50 }],
      [8, { cap: 0.2, scale: 2 }],
      [260, { window: 3, cap: 2, scale: 0.1 }],
    ] as const
  ) {
    const [actual, expected] = await attended(2, { heads: 4, kvHeads: 2, headSize, ...options });
    assertClose(actual, expected, `attention of ${headSize}, ${JSON.stringify(options)}`);
  }
});

Deno.test("attention over keys that all rows share, as if they stood before every sequence", async () => {
  for (
    const [headSize, options] of [
      [8, { shared: 1 }],
      [12, { shared: 5, cap: 1.5 }],
      [8, { shared: 4, window: 2 }],
      [8, { shared: 4, window: 3 }],
      [8, { shared: 4, window: 6 }],
      [8, { shared: 4, window: 9, scale: 0.4 }],
      [260, { shared: 3, window: 5, scale: 0.1 }],
    ] as const
  ) {
    const [actual, expected] = await attended(2, { heads: 4, kvHeads: 2, headSize, ...options });
    assertClose(actual, expected, `attention of ${headSize}, ${JSON.stringify(options)}`);
  }
});

Deno.test("scores far beyond their cap, and far within it, are capped exactly", async () => {
  // Keys of one: the scores are the queries', values tell them apart.
  const scores = [0, 1e-6, -1e-3, 0.3, -12.4, 12.6, 49, -51, 1e3, -1e5, 1e9];
  for (const cap of [50, 1]) {
    using bench = new Bench(gpu);
    const rows = 2 * scores.length;
    const q = Float32Array.from({ length: rows * 4 }, (_, i) => i % 4 ? 0 : scores[i >> 3]);
    const k = Float32Array.from({ length: rows * 4 }, (_, i) => i % 4 ? 0 : (i >> 2) % 2);
    const v = normals(rows * 4, random);
    // Each odd row sees the row before it, whose score is 0, and itself.
    const own = range(rows).map((row) => row - row % 2);
    const context = contextOf(bench, { rows }, 1, { slots: range(rows), ownStart: own });
    const sizes = { scale: 1, cap };
    const y = attention(context, bench.value("q", q), bench.value("k", k), bench.value("v", v), {
      heads: 1,
      keyValueHeads: 1,
      headDimension: 4,
      ...sizes,
    });
    const [actual] = await bench.run(y);
    const table = own.map((ownStart) => ({ prefixStart: 0, prefixEnd: 0, ownStart }));
    const shape = { branches: 1, heads: 1, kvHeads: 1, headSize: 4, ...sizes };
    assertClose(actual, attentionOracle(shape, table, q, k, v), `cap ${cap}`);
  }
});

Deno.test("attention with scores far apart stays finite", async () => {
  using bench = new Bench(gpu);
  const [rows, headSize] = [12, 4];
  const q = normals(rows * headSize, random, 200);
  const k = normals(rows * headSize, random, 200);
  const v = normals(rows * headSize, random);
  const context = contextOf(bench, { rows }, 1, { slots: range(rows) });
  const y = attention(context, bench.value("q", q), bench.value("k", k), bench.value("v", v), {
    heads: 1,
    keyValueHeads: 1,
    headDimension: headSize,
  });
  const [actual] = await bench.run(y);
  const table = range(rows).map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 0 }));
  const shape = { branches: 1, heads: 1, kvHeads: 1, headSize };
  assertClose(actual, attentionOracle(shape, table, q, k, v), "attention");
});

for (
  const { name, total, cacheRows, pieces, rolling, window } of [
    {
      name: "a cache that earlier rows were stored in equals attention",
      ...{ total: 11, cacheRows: 16, pieces: [[0, 6], [6, 10], [10, 11]] },
      ...{ rolling: undefined, window: undefined },
    },
    {
      name: "a rolling cache equals attention with its window",
      ...{ total: 23, cacheRows: 11, pieces: [[0, 6], [6, 10], [10, 16], [16, 22], [22, 23]] },
      ...{ rolling: true, window: 5 },
    },
  ]
) {
  Deno.test(`attention over ${name} over all rows`, async () => {
    const [heads, kvHeads, headSize, branches] = [4, 2, 8, 2];
    const width = kvHeads * headSize;
    const q = normals(branches * total * heads * headSize, random);
    const k = normals(branches * total * width, random);
    const v = normals(branches * total * width, random);
    const slice = (x: Float32Array, w: number, from: number, to: number) =>
      Float32Array.from(
        range(branches).flatMap((b) => [
          ...x.subarray((b * total + from) * w, (b * total + to) * w),
        ]),
      );
    using bench = new Bench(gpu);
    const empty = () => new Float32Array(branches * cacheRows * width).fill(NaN);
    const [keys, values] = [bench.storage("keys", empty()), bench.storage("values", empty())];
    const outputs = pieces.map(([from, to]) => {
      const context = contextOf(bench, { rows: to - from }, branches, {
        slots: range(to).slice(from),
      });
      const part = (label: string, x: Float32Array, w: number) =>
        bench.value(label, slice(x, w, from, to));
      storeRows(context, part("k", k, width), keys, width, cacheRows, rolling);
      storeRows(context, part("v", v, width), values, width, cacheRows, rolling);
      return attention(context, part("q", q, heads * headSize), keys, values, {
        heads,
        keyValueHeads: kvHeads,
        headDimension: headSize,
        keyRows: cacheRows,
        ...rolling && { rolling, window },
      });
    });
    const actual = await bench.run(...outputs);
    const table = range(total).map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 0 }));
    const shape = { branches, heads, kvHeads, headSize, window };
    const expected = Float32Array.from(attentionOracle(shape, table, q, k, v));
    pieces.forEach(([from, to], i) =>
      assertClose(actual[i], slice(expected, heads * headSize, from, to), `rows ${from} to ${to}`)
    );
  });
}
