import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  add,
  embedding,
  pickColumns,
  pickRows,
  rmsNorm,
  rope,
  siluGate,
  Storage,
} from "../../../kernels/mod.ts";
import type { Layout } from "../../../quant/mod.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { embedding as embeddingOracle } from "../../reference/embedding.ts";
import { rmsNorm as rmsNormOracle } from "../../reference/rms_norm.ts";
import { rope as ropeOracle } from "../../reference/rope.ts";
import { siluGate as siluGateOracle } from "../../reference/silu_gate.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
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

const gpu = await openSharedGpu();
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
