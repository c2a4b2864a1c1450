import type { Law } from "../../../optim/mod.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { Graph, matmul } from "../../../kernels/mod.ts";
import type { Layout } from "../../../quant/mod.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { numbersBy, sampled, sampleSeed } from "../../support/sampled.ts";
import { below, Bench, randomPacked, type TestPerturbation, withWorkgroupLimit } from "../bench.ts";
import { checkProduct, layoutsByName, type ProductCase, scalarLayout } from "../product.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(3);

const check = (c: ProductCase): Promise<void> => checkProduct(gpu, c);

const kinds = layoutsByName(
  ([2, 3, 4, 8] as const).flatMap((bits) =>
    (["none", "zero", "min"] as const).map((second) => [bits, second] as const)
  ),
);

/** Sizes, groups and spans are free within the shader of a variant. */
const variants: readonly (Pick<ProductCase, "tile" | "bias" | "residual"> & {
  form?: "absolute" | "relative";
  distribution?: "normal" | "rademacher" | "none";
})[] = [
  { tile: { rows: 2, columns: 4, workgroup: 32 } },
  { tile: { rows: 4, columns: 4, workgroup: 32 }, form: "relative", distribution: "normal" },
  { tile: { rows: 2, columns: 4, workgroup: 32 }, form: "absolute", distribution: "rademacher" },
];

for (const [name, layoutOf] of sampled("matmul, layouts", Object.entries(kinds), 1 / 3)) {
  Deno.test(`matmul of ${name} in odd sizes equals the oracle`, async () => {
    const random = numbersBy(name, sampleSeed);
    for (const { tile, form, distribution = "none", bias, residual } of variants) {
      // Mixed tiles (fewer rows than the tile) are shaders of their own: the 4-row tile is used mixed, the others not.
      const rowCounts = tile!.rows === 4 ? [1, 2, 3] : [2, 3, 5, 17];
      const numbers = rowCounts.flatMap((rows) =>
        [1, 2, 3, 4].map((branches) => ({ rows, branches }))
      );
      // Numbers of rows and branches are shaders of their own, of which each day has one a variant.
      const shapes = sampled(`${name}, ${form}`, numbers, 1 / numbers.length);
      for (const [i, group] of [32, 64, 128, 0].entries()) {
        const inputs = [32, 96, 160, 224][below(4, random)];
        const layout = layoutOf(group);
        const block = layout.kind === "scalar" && group > 0 ? group : inputs;
        const spans = form === "absolute" ? [block] : [block, 32, 128, inputs];
        const fitting = spans.filter((s) => {
          const [a, b] = [Math.min(block, inputs), Math.min(s, inputs)];
          return a === inputs || b === inputs || a % b === 0 || b % a === 0;
        });
        for (const shape of shapes.filter((_, k) => shapes.length === 1 || k % 4 === i)) {
          await check({
            ...{ layout, inputs, tile, bias, residual, ...shape },
            outputs: [1, 3, 4, 6, 13, 35][below(6, random)],
            perturbation: form &&
              { form, distribution, span: fitting[below(fitting.length, random)] },
          });
        }
      }
    }
  });
}

Deno.test("matmul takes groups longer than the row and partial last groups", async () => {
  const tile = { rows: 2, columns: 4, workgroup: 32 };
  const sizes = [[64, 96], [128, 96], [128, 160], [64, 32], [32, 32]];
  for (const [group, inputs] of sampled("long groups", sizes)) {
    for (const form of [undefined, "absolute", "relative"] as const) {
      await check({
        layout: scalarLayout(4, "none", group),
        inputs,
        outputs: 6,
        rows: 3,
        branches: 2,
        tile,
        perturbation: form && { form, span: group, distribution: "rademacher" },
      });
    }
  }
});

const LAWS: readonly Law[] = [
  { dense: "normal", structure: "lowRank" },
  { dense: "rademacher", structure: "lowRank" },
  { dense: "normal", structure: "mask" },
];

Deno.test("noise knows the matrix of the offsets and the share of the tensor in every layout and at every number of rows", async () => {
  const cases = [1, 3, 9].flatMap((rows) =>
    [scalarLayout(4, "none", 32), kinds.f32(0), kinds.f16(0)].flatMap((layout) =>
      LAWS.map((distribution) => ({
        rows,
        layout,
        distribution,
      }))
    )
  );
  // Each is a shader of its own.
  for (const { rows, layout, distribution } of sampled("matmul, laws", cases, 1 / 3)) {
    await check({
      layout,
      inputs: 160,
      outputs: 13,
      rows,
      branches: 2,
      tile: { rows: rows === 1 ? 4 : 2, columns: 4, workgroup: 32 },
      perturbation: { form: "relative", distribution, span: 64 },
    });
  }
});

Deno.test("matmul takes offsets finer and coarser than its groups", async () => {
  const tile = { rows: 4, columns: 4, workgroup: 32 };
  const fits: [group: number, span: number, inputs: number][] = [
    [32, 32, 160],
    [32, 64, 160],
    [32, 128, 160],
    [32, 160, 160],
    [128, 32, 160],
    [128, 64, 160],
    [128, 160, 160],
    [0, 32, 160],
    [0, 128, 160],
    [0, 160, 160],
    [64, 256, 192],
  ];
  for (const [group, span, inputs] of sampled("spans", fits)) {
    await check({
      layout: scalarLayout(4, "none", group),
      inputs,
      outputs: 9,
      rows: 2,
      branches: 3,
      tile,
      perturbation: { form: "relative", span, distribution: "normal" },
    });
  }
  using bench = new Bench(gpu);
  const tensor = bench.tensor("w", randomPacked(scalarLayout(4, "none", 64), 4, 192, random));
  assertThrows(
    () =>
      matmul(new Graph(), bench.storage("x", new Float32Array(192)), tensor, {
        rows: 1,
        branches: 1,
        adapterClass: gpu.adapterClass,
        perturbation: {
          form: "relative",
          span: 96,
          stride: 4,
          id: 1,
          offsets: bench.storage("offsets", new Float32Array(8)),
        },
      }),
    RangeError,
    'Cannot train tensor "w" with one offset per 96 columns',
  );
});

Deno.test("matmul adds bias and residual to every row of every branch", async () => {
  for (const [bias, residual] of sampled("extras", [[true, false], [false, true], [true, true]])) {
    for (const [rows, branches] of [[5, 2], [3, 3]]) {
      await check({
        layout: scalarLayout(4, "min", 32),
        inputs: 64,
        outputs: 7,
        rows,
        branches,
        tile: { rows: 4, columns: 4, workgroup: 32 },
        bias,
        residual,
      });
    }
  }
});

Deno.test("matmul over pieces of rows equals the oracle", async () => {
  const tile = { rows: 2, columns: 4, workgroup: 32 };
  const layouts: [Layout, number][] = [
    [scalarLayout(4, "none", 32), 64],
    [scalarLayout(4, "zero", 64), 64],
    [{ kind: "dense", type: "f16" }, 256],
    [{ kind: "codebook", books: 2 }, 32],
  ];
  const cases = layouts.flatMap(([layout, rowBytes]) =>
    [[3, 2], [1, 3]].flatMap(([rows, branches]) =>
      ([undefined, "relative"] as const).map((form) => ({ layout, rowBytes, rows, branches, form }))
    )
  );
  for (const { layout, rowBytes, rows, branches, form } of sampled("pieces", cases, 1 / 2)) {
    const span = layout.kind === "dense" ? 1 : 128;
    await check({
      layout,
      inputs: 128,
      outputs: 150,
      rows,
      branches,
      tile,
      bias: form === undefined,
      residual: form !== undefined,
      maxBinding: 64 * rowBytes,
      perturbation: form && { form, span, distribution: "normal" },
    });
  }
});

Deno.test("a tensor in pieces has as many rows a piece as its binding holds, in multiples of 64", () => {
  using bench = new Bench(gpu);
  const packed = randomPacked(scalarLayout(4, "none", 32), 150, 128, random);
  const pieces = bench.tensor("w", packed, 64 * 64 + 100).pieces;
  assertEquals(pieces.map((p) => [p.firstRow, p.rows]), [[0, 64], [64, 64], [128, 22]]);
  assertThrows(
    () => bench.tensor("w", packed, 63 * 64),
    RangeError,
    'Cannot place tensor "w" of 150 x 128',
  );
});

Deno.test("matmul in the tiles that are chosen by default equals the oracle", async () => {
  for (const rows of [1, 3, 9, 17]) {
    for (const branches of [1, 2]) {
      await check({
        layout: scalarLayout(4, "none", 32),
        inputs: 96,
        outputs: 21,
        rows,
        branches,
        perturbation: { form: "relative", span: 32, distribution: "normal" },
      });
    }
  }
});

Deno.test("matmul in the tiles that are chosen for many outputs equals the oracle", async () => {
  for (const [rows, branches] of sampled("many outputs", [[3, 3], [17, 2]])) {
    await check({
      layout: scalarLayout(4, "none", 32),
      inputs: 64,
      outputs: 261,
      rows,
      branches,
      perturbation: { form: "relative", span: 32, distribution: "normal" },
    });
  }
});

Deno.test("matmul in uncommon tiles equals the oracle", async () => {
  const tiles = [
    { rows: 1, columns: 4, workgroup: 1 },
    { rows: 3, columns: 4, workgroup: 64 },
    { rows: 5, columns: 8, workgroup: 16 },
    { rows: 2, columns: 12, workgroup: 32 },
  ];
  for (const tile of tiles) {
    for (const rows of sampled(`uncommon tile ${tile.rows}`, [2, 7], 1 / 2)) {
      await check({
        layout: scalarLayout(3, "none", 64),
        inputs: 96,
        outputs: 22,
        rows,
        branches: 3,
        tile,
        perturbation: { form: "absolute", span: 64, distribution: "rademacher" },
      });
    }
  }
});

Deno.test("matmul beyond the workgroup limit folds into the second dimension", async () => {
  const tile = { rows: 2, columns: 4, workgroup: 1 };
  for (const [rows, branches] of [[5, 3], [1, 5]]) {
    await withWorkgroupLimit(gpu, 7, () =>
      check({
        layout: scalarLayout(4, "none", 32),
        inputs: 32,
        outputs: 45,
        rows,
        branches,
        tile,
        perturbation: { form: "relative", span: 32, distribution: "rademacher" },
      }));
  }
});

Deno.test("rows in windows of a uniform binding give what a storage binding gives", async () => {
  // 64 rows of 256 inputs fill 64 KiB: two windows a branch, the second partial.
  const sizes = { outputs: 1100, inputs: 256, rows: 70, branches: 2, windows: 4 };
  const tile = { rows: 4, columns: 4, workgroup: 32 };
  await check({ ...sizes, layout: { kind: "dense", type: "f16" }, tile });
  const perturbation: TestPerturbation = {
    form: "relative",
    span: 32,
    distribution: "normal",
  };
  await check({
    ...sizes,
    layout: scalarLayout(4, "none", 32),
    tile,
    perturbation,
    residual: true,
  });
  await check({ ...sizes, layout: scalarLayout(4, "zero", 64), tile, bias: true });
  await check({ ...sizes, layout: { kind: "codebook", books: 2 }, tile });
});
