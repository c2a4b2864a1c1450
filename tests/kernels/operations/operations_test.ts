import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  add,
  attention,
  embedding,
  openGpu,
  pickColumns,
  pickRows,
  rmsNorm,
  rope,
  siluGate,
  Storage,
  storeRows,
} from "../../../kernels/mod.ts";
import type { Layout } from "../../../quant/mod.ts";
import { attention as attentionOracle, type AttentionRow } from "../../reference/attention.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { embedding as embeddingOracle } from "../../reference/embedding.ts";
import { rmsNorm as rmsNormOracle } from "../../reference/rms_norm.ts";
import { rope as ropeOracle } from "../../reference/rope.ts";
import { siluGate as siluGateOracle } from "../../reference/silu_gate.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { sampled } from "../../support/sampled.ts";
import {
  assertClose,
  Bench,
  normals,
  perturb,
  randomPacked,
  type TestPerturbation,
  withWorkgroupLimit,
} from "../bench.ts";
import { contextOf } from "../context.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(5);

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

async function checkEmbedding(
  layout: Layout,
  change: TestPerturbation | undefined,
  maxBinding?: number,
): Promise<void> {
  using bench = new Bench(gpu);
  const [vocabulary, columns, branches] = [133, 96, 3];
  const packed = randomPacked(layout, vocabulary, columns, random);
  const table = bench.tensor("token_embd.weight", packed, maxBinding);
  const { perturbation, weights } = change
    ? perturb(bench, table, packed, change, branches, random)
    : { perturbation: undefined, weights: Array(branches).fill(effectiveWeights(packed)) };
  const tokens = [0, 132, 64, 63, 5, 128, 127];
  const context = contextOf(bench, { rows: tokens.length }, branches, { tokens }, { perturbation });
  const [actual] = await bench.run(embedding(context, table));
  assertClose(
    actual,
    embeddingOracle(weights, columns, tokens),
    `embedding ${JSON.stringify([layout, change])}`,
  );
}

Deno.test("embedding of dense, packed and perturbed tables, whole and in pieces", async () => {
  const q4: Layout = { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 };
  const q3: Layout = { kind: "scalar", bits: 3, center: 0, second: "zero", group: 64 };
  const q41: Layout = { kind: "scalar", bits: 4, center: 0, second: "min", group: 32 };
  const q8: Layout = { kind: "scalar", bits: 8, center: 128, second: "none", group: 0 };
  const f32: Layout = { kind: "dense", type: "f32" };
  const f16: Layout = { kind: "dense", type: "f16" };
  const absolute = { form: "absolute", distribution: "normal" } as const;
  const relative = { form: "relative", distribution: "rademacher" } as const;
  await checkEmbedding(f32, undefined);
  await checkEmbedding(f32, { ...absolute, span: 1 }, 64 * 96 * 4);
  await checkEmbedding(f16, { ...relative, span: 1 });
  await checkEmbedding({ kind: "dense", type: "bf16" }, undefined, 64 * 96 * 2);
  await checkEmbedding(q4, undefined, 64 * 48);
  await checkEmbedding(q4, { ...absolute, span: 32 });
  await checkEmbedding(q3, { ...relative, span: 128 }, 64 * 36);
  await checkEmbedding(q41, { ...relative, span: 32 });
  await checkEmbedding(q41, {
    form: "relative",
    distribution: { dense: "normal", structure: "lowRank" },
    span: 32,
  }, 64 * 48);
  await checkEmbedding(f32, {
    form: "absolute",
    distribution: { dense: "normal", structure: "lowRank" },
    span: 1,
  });
  await checkEmbedding(q41, {
    form: "relative",
    distribution: { dense: "normal", structure: "mask" },
    span: 32,
  });
  await checkEmbedding(q8, { ...relative, span: 32, distribution: "none" });
  await checkEmbedding({ kind: "codebook", books: 2 }, { ...absolute, span: 96 });
});

Deno.test("embedding by position, shifted, of whole tables and of pieces", async () => {
  const layout: Layout = { kind: "dense", type: "f16" };
  const perturbed = { form: "absolute", span: 1, distribution: "normal" } as const;
  for (const maxBinding of [undefined, 64 * 96 * 2]) {
    for (const change of [undefined, perturbed]) {
      using bench = new Bench(gpu);
      const [columns, branches, shift] = [96, 2, 2];
      const packed = randomPacked(layout, 132, columns, random);
      const table = bench.tensor("position_embd.weight", packed, maxBinding);
      const { perturbation, weights } = change
        ? perturb(bench, table, packed, change, branches, random)
        : { perturbation: undefined, weights: Array(branches).fill(effectiveWeights(packed)) };
      const positions = [0, 129, 62, 61, 5, 126, 1];
      const tokens = positions.map(() => 3);
      const lists = { positions, tokens };
      const context = contextOf(bench, { rows: 7 }, branches, lists, { perturbation });
      const [actual] = await bench.run(embedding(context, table, { by: "positions", shift }));
      const rows = positions.map((position) => position + shift);
      assertClose(actual, embeddingOracle(weights, columns, rows), `pieces of ${maxBinding}`);
    }
  }
});

Deno.test("one row of a table for all rows of a batch, as every branch has it", async () => {
  const q4: Layout = { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 };
  for (const layout of [{ kind: "dense", type: "f16" }, q4] as const) {
    using bench = new Bench(gpu);
    const [columns, branches, row] = [96, 2, 3];
    const packed = randomPacked(layout, 6, columns, random);
    const table = bench.tensor("token_types.weight", packed);
    const change = layout.kind === "dense"
      ? { form: "absolute", span: 1, distribution: "normal" } as const
      : { form: "relative", span: 32, distribution: "normal" } as const;
    const { perturbation, weights } = perturb(bench, table, packed, change, branches, random);
    const context = contextOf(bench, { rows: 5 }, branches, { tokens: [1, 2, 0, 4, 5] }, {
      perturbation,
    });
    const [actual] = await bench.run(embedding(context, table, { by: "nothing", shift: row }));
    const expected = embeddingOracle(weights, columns, Array(5).fill(row));
    assertClose(actual, expected, JSON.stringify(layout));
  }
});

Deno.test("columns alone are the same bits, and multiples of 4", async () => {
  using bench = new Bench(gpu);
  const [rows, of, branches] = [7, 68, 3];
  const x = normals(branches * rows * of, random);
  const context = contextOf(bench, { rows }, branches, {});
  const ranges = [[0, 4], [12, 40], [64, 4], [0, 68]];
  const found = await bench.run(
    ...ranges.map(([first, count]) =>
      pickColumns(context, bench.value("x", x), { of, first, count })
    ),
  );
  ranges.forEach(([first, count], i) => {
    const expected = range(branches * rows).flatMap((row) => [
      ...x.subarray(row * of + first, row * of + first + count),
    ]);
    assertEquals([...found[i]], expected, `${first} to ${first + count}`);
  });
  assertThrows(
    () => pickColumns(context, bench.value("x", x), { of, first: 2, count: 4 }),
    RangeError,
    "multiples of 4",
  );
});

Deno.test("listed rows alone, and sums, are the same bits", async () => {
  using bench = new Bench(gpu);
  const [rows, columns, branches, listed] = [7, 68, 3, [6, 0, 6, 2]];
  const x = normals(branches * rows * columns, random);
  const y = normals(branches * rows * columns, random);
  const context = contextOf(bench, { rows, lossRows: 4 }, branches, { lossRows: listed });
  const list = { first: context.layout.lossRows, count: listed.length };
  const [picked, sum] = await bench.run(
    pickRows(context, bench.value("x", x), columns, list),
    add(context, bench.storage("x", x), bench.value("y", y)),
  );
  const expected = range(branches).flatMap((b) =>
    listed.flatMap((row) => {
      const at = (b * rows + row) * columns;
      return [...x.subarray(at, at + columns)];
    })
  );
  assertEquals([...picked], expected);
  assertEquals([...sum], Array.from(x, (value, i) => Math.fround(value + y[i])));
});

Deno.test("rms norm of all rows and of listed rows, with and without perturbed gains", async () => {
  for (const adapterClass of ["software", "hardware"] as const) {
    for (const columns of [4, 68, 300]) {
      for (const form of [undefined, "absolute", "relative"] as const) {
        for (const listed of [undefined, [6, 0, 6]]) {
          using bench = new Bench(gpu);
          const [rows, branches] = [7, 3];
          const packed = randomPacked({ kind: "dense", type: "f32" }, 1, columns, random);
          const gain = bench.tensor("norm", packed);
          const { perturbation, weights } = form
            ? perturb(
              bench,
              gain,
              packed,
              { form, span: 1, distribution: "normal" },
              branches,
              random,
            )
            : { perturbation: undefined, weights: Array(branches).fill(effectiveWeights(packed)) };
          const x = normals(branches * rows * columns, random, 0.05);
          const context = contextOf(
            bench,
            { rows, lossRows: 3 },
            branches,
            { lossRows: listed ?? [] },
            { adapterClass, perturbation },
          );
          const y = rmsNorm(
            context,
            bench.value("x", x),
            gain,
            1e-3,
            listed && { first: context.layout.lossRows, count: listed.length },
          );
          const [actual] = await bench.run(y);
          const expected = weights.flatMap((g: Float64Array, b: number) =>
            (listed ?? range(rows)).flatMap((row) => {
              const at = (b * rows + row) * columns;
              return [...rmsNormOracle(x.subarray(at, at + columns), g, columns, 1e-3)];
            })
          );
          assertClose(actual, expected, `${adapterClass} ${columns} ${form} ${listed}`);
        }
      }
    }
  }
});

Deno.test("rope in both conventions turns by the listed positions", async () => {
  const [rows, branches, heads, headSize, base] = [9, 2, 3, 12, 500];
  const positions = [0, 1, 2, 3, 3, 4, 63, 0, 7];
  const table = new Float32Array(64 * headSize);
  range(64).forEach((p) =>
    range(headSize / 2).forEach((i) => {
      const angle = p * base ** (-2 * i / headSize);
      table.set([Math.cos(angle), Math.sin(angle)], (p * headSize / 2 + i) * 2);
    })
  );
  for (const interleaved of [true, false]) {
    using bench = new Bench(gpu);
    const x = normals(branches * rows * heads * headSize, random);
    const context = contextOf(bench, { rows }, branches, { positions });
    const y = rope(context, bench.value("x", x), bench.storage("table", table), {
      heads,
      headDimension: headSize,
      interleaved,
    });
    const [actual] = await bench.run(y);
    const convention = interleaved ? "norm" : "neox";
    const expected = ropeOracle(x, positions, heads, headSize, base, convention);
    assertClose(actual, expected, `rope ${convention}`);
  }
});

/** Rows of a prompt of 4, two candidates of 3 after it, another sequence of 5, and padding that sees only itself. */
const packedRows: AttentionRow[] = [
  ...range(4).map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 0 })),
  ...range(3).map(() => ({ prefixStart: 0, prefixEnd: 4, ownStart: 4 })),
  ...range(3).map(() => ({ prefixStart: 0, prefixEnd: 4, ownStart: 7 })),
  ...range(5).map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 10 })),
  { prefixStart: 0, prefixEnd: 0, ownStart: 15 },
];

Deno.test("attention over prefixes and own rows, with shared key-value heads", async () => {
  const rows = packedRows.length;
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
    using bench = new Bench(gpu);
    const branches = 3;
    const q = normals(branches * rows * heads * headSize, random, 2);
    const k = normals(branches * rows * kvHeads * headSize, random, 2);
    const v = normals(branches * rows * kvHeads * headSize, random);
    const context = contextOf(bench, { rows }, branches, {
      prefixStart: packedRows.map((r) => r.prefixStart),
      prefixEnd: packedRows.map((r) => r.prefixEnd),
      ownStart: packedRows.map((r) => r.ownStart),
      slots: range(rows),
    });
    const y = attention(context, bench.value("q", q), bench.value("k", k), bench.value("v", v), {
      heads,
      keyValueHeads: kvHeads,
      headDimension: headSize,
    });
    const [actual] = await bench.run(y);
    const expected = attentionOracle({ branches, heads, kvHeads, headSize }, packedRows, q, k, v);
    assertClose(actual, expected, `attention ${heads}/${kvHeads} of ${headSize}`);
  }
});

Deno.test("attention with a window over the end of a prompt and its own rows, a scale and a cap of its own", async () => {
  const rows = packedRows.length;
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
    using bench = new Bench(gpu);
    const [heads, kvHeads, branches] = [4, 2, 2];
    const q = normals(branches * rows * heads * headSize, random, 2);
    const k = normals(branches * rows * kvHeads * headSize, random, 2);
    const v = normals(branches * rows * kvHeads * headSize, random);
    const context = contextOf(bench, { rows }, branches, {
      prefixStart: packedRows.map((r) => r.prefixStart),
      prefixEnd: packedRows.map((r) => r.prefixEnd),
      ownStart: packedRows.map((r) => r.ownStart),
      slots: range(rows),
    });
    const y = attention(context, bench.value("q", q), bench.value("k", k), bench.value("v", v), {
      heads,
      keyValueHeads: kvHeads,
      headDimension: headSize,
      ...options,
    });
    const [actual] = await bench.run(y);
    const shape = { branches, heads, kvHeads, headSize, ...options };
    const expected = attentionOracle(shape, packedRows, q, k, v);
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

Deno.test("attention over a rolling cache equals attention with its window over all rows", async () => {
  const [heads, kvHeads, headSize, total, window, branches] = [4, 2, 8, 23, 5, 2];
  const pieces = [[0, 6], [6, 10], [10, 16], [16, 22], [22, 23]];
  const cacheRows = window + 6;
  const width = kvHeads * headSize;
  const q = normals(branches * total * heads * headSize, random);
  const k = normals(branches * total * width, random);
  const v = normals(branches * total * width, random);
  const slice = (x: Float32Array, w: number, from: number, to: number) =>
    Float32Array.from(
      range(branches).flatMap((b) => [...x.subarray((b * total + from) * w, (b * total + to) * w)]),
    );
  using bench = new Bench(gpu);
  const keys = bench.storage("keys", new Float32Array(branches * cacheRows * width).fill(NaN));
  const values = bench.storage("values", new Float32Array(branches * cacheRows * width).fill(NaN));
  const outputs = pieces.map(([from, to]) => {
    const context = contextOf(bench, { rows: to - from }, branches, {
      slots: range(to).slice(from),
    });
    const part = (label: string, x: Float32Array, w: number) =>
      bench.value(label, slice(x, w, from, to));
    storeRows(context, part("k", k, width), keys, width, cacheRows, true);
    storeRows(context, part("v", v, width), values, width, cacheRows, true);
    return attention(context, part("q", q, heads * headSize), keys, values, {
      heads,
      keyValueHeads: kvHeads,
      headDimension: headSize,
      keyRows: cacheRows,
      rolling: true,
      window,
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

Deno.test("attention over a cache that earlier rows were stored in equals attention over all rows", async () => {
  const [heads, kvHeads, headSize, total, cacheRows, branches] = [4, 2, 8, 11, 16, 2];
  const width = kvHeads * headSize;
  const q = normals(branches * total * heads * headSize, random);
  const k = normals(branches * total * width, random);
  const v = normals(branches * total * width, random);
  const slice = (x: Float32Array, w: number, from: number, to: number) =>
    Float32Array.from(
      range(branches).flatMap((b) => [...x.subarray((b * total + from) * w, (b * total + to) * w)]),
    );
  using bench = new Bench(gpu);
  const keys = bench.storage("keys", new Float32Array(branches * cacheRows * width).fill(NaN));
  const values = bench.storage("values", new Float32Array(branches * cacheRows * width).fill(NaN));
  const outputs = [[0, 6], [6, 10], [10, 11]].map(([from, to]) => {
    const context = contextOf(bench, { rows: to - from }, branches, {
      slots: range(to).slice(from),
    });
    const part = (label: string, x: Float32Array, w: number) =>
      bench.value(label, slice(x, w, from, to));
    storeRows(context, part("k", k, width), keys, width, cacheRows);
    storeRows(context, part("v", v, width), values, width, cacheRows);
    return attention(context, part("q", q, heads * headSize), keys, values, {
      heads,
      keyValueHeads: kvHeads,
      headDimension: headSize,
      keyRows: cacheRows,
    });
  });
  const actual = await bench.run(...outputs);
  const table = range(total).map(() => ({ prefixStart: 0, prefixEnd: 0, ownStart: 0 }));
  const expected = Float32Array.from(
    attentionOracle({ branches, heads, kvHeads, headSize }, table, q, k, v),
  );
  [[0, 6], [6, 10], [10, 11]].forEach(([from, to], i) =>
    assertClose(actual[i], slice(expected, heads * headSize, from, to), `rows ${from} to ${to}`)
  );
});

Deno.test("the gate of SwiGLU, large arguments included", async () => {
  using bench = new Bench(gpu);
  const gate = normals(4 * 77, random, 4);
  gate.set([80, -80, 0, -0, 1e-30, 200, -200, 30]);
  const up = normals(4 * 77, random);
  const context = contextOf(bench, { rows: 1 }, 1, {});
  const y = siluGate(context, bench.value("gate", gate), bench.value("up", up));
  const [actual] = await bench.run(y);
  assertClose(actual, siluGateOracle(gate, up), "silu gate");
});

Deno.test("operations beyond the workgroup limit fold into the second dimension", async () => {
  for (const adapterClass of ["software", "hardware"] as const) {
    using bench = new Bench(gpu);
    const [rows, columns, branches] = [97, 68, 3];
    const packed = randomPacked({ kind: "dense", type: "f32" }, 1, columns, random);
    const x = normals(branches * rows * columns, random);
    const context = contextOf(bench, { rows }, branches, {}, { adapterClass });
    const normed = rmsNorm(context, bench.value("x", x), bench.tensor("norm", packed), 1e-5);
    const gated = siluGate(context, normed, bench.value("up", x));
    await withWorkgroupLimit(gpu, 5, async () => {
      const [actual] = await bench.run(gated);
      const expected = rmsNormOracle(x, effectiveWeights(packed), columns, 1e-5);
      assertClose(actual, siluGateOracle(expected, x), adapterClass);
    });
  }
});

Deno.test("values share buffers only when they do not live at the same time", async () => {
  using bench = new Bench(gpu);
  const context = contextOf(bench, { rows: 1 }, 1, {});
  const numbers = range(6).map(() => normals(64, random));
  const inputs = numbers.map((n, i) => bench.value(`x${i}`, n));
  let value = inputs[0];
  for (const input of inputs.slice(1)) value = siluGate(context, value, input);
  const { slots } = bench.graph.assign([value]);
  assert(slots.length < bench.graph.dispatches.length, "nothing was shared");
  const [actual] = await bench.run(value);
  const expected = numbers.slice(1).reduce<ArrayLike<number>>(siluGateOracle, numbers[0]);
  assertClose(actual, expected, "chain");
  const before = gpu.memory.total;
  using spare = new Storage("spare", 100, "scratch").allocate(gpu);
  assertEquals(gpu.memory.total, before + spare.bytes);
});
