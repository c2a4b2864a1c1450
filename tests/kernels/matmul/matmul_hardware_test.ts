import { assert, assertEquals, assertThrows } from "@std/assert";
import { Graph, matmul, openGpu, type Tile } from "../../../kernels/mod.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { below, Bench, randomPacked, type TestPerturbation } from "../bench.ts";
import { checkProduct, layoutsByName, type ProductCase, scalarLayout } from "../product.ts";
import { chooseTile } from "../../../kernels/matmul/tiles.ts";

// The kernels that GPUs get, run on whatever adapter is here.

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(11);

const check = (c: ProductCase): Promise<void> =>
  checkProduct(gpu, { adapterClass: "hardware", ...c });

const layouts = layoutsByName([
  [2, "zero"],
  [3, "none"],
  [4, "none"],
  [4, "zero"],
  [4, "min"],
  [8, "min"],
]);

const forms: readonly (Pick<TestPerturbation, "form" | "distribution"> | undefined)[] = [
  undefined,
  { form: "absolute", distribution: "none" },
  { form: "relative", distribution: "normal" },
];

const kernels: Record<string, readonly (Pick<ProductCase, "rows" | "branches" | "tile">)[]> = {
  // One shader a number of rows and branches.
  vector: [{ rows: 1, branches: 2 }, { rows: 3, branches: 1 }],
  tiled: [
    { rows: 9, branches: 2 },
    { rows: 65, branches: 1, tile: { kernel: "tiled", rows: 16, columns: 64, workgroup: 64 } },
  ],
};

for (const [kernel, shapes] of Object.entries(kernels)) {
  for (const [name, layoutOf] of Object.entries(layouts)) {
    Deno.test(`${kernel} matmul of ${name} in odd sizes equals the oracle`, async () => {
      for (const [i, form] of forms.entries()) {
        const group = [32, 64, 0][below(3, random)];
        const layout = layoutOf(group);
        const inputs = layout.kind === "dense" ? [36, 100, 160][i] : [96, 192, 320][i];
        const block = layout.kind === "scalar" && group > 0 ? group : inputs;
        const span = [block, 32, inputs][below(3, random)];
        await check({
          layout,
          inputs,
          outputs: [1, 6, 67, 35][below(4, random)],
          ...shapes[i % shapes.length],
          bias: i === 2,
          residual: i === 2,
          perturbation: form &&
            { ...form, span: form.form === "absolute" ? block : span },
        });
      }
    });
  }
}

Deno.test("matmul on hardware takes many rows, more units than are staged, pieces and Rademacher noise", async () => {
  const perturbation = { form: "absolute", distribution: "rademacher" } as const;
  const layout = scalarLayout(4, "none", 32);
  await check({
    layout,
    inputs: 64,
    outputs: 70,
    rows: 67,
    branches: 2,
    perturbation: { ...perturbation, span: 32 },
  });
  await check({
    layout,
    inputs: 32 * 37,
    outputs: 5,
    rows: 1,
    branches: 3,
    perturbation: { ...perturbation, span: 32 },
  });
  for (const rows of [2, 12]) {
    await check({
      layout,
      inputs: 64,
      outputs: 150,
      rows,
      branches: 2,
      perturbation: { ...perturbation, form: "relative", span: 64 },
      maxBinding: 64 * 32,
      bias: true,
      residual: true,
    });
  }
});

Deno.test("noise on hardware knows the matrix of the offsets and the share of the tensor", async () => {
  for (const [rows, branches] of [[1, 3], [9, 2]]) {
    for (const layout of [scalarLayout(4, "zero", 32), layouts.f32(0)]) {
      for (
        const distribution of [{ dense: "normal", structure: "lowRank" }, {
          dense: "rademacher",
          structure: "mask",
        }] as const
      ) {
        const perturbation = { form: "relative", distribution, span: 64 } as const;
        await check({ layout, inputs: 160, outputs: 13, rows, branches, perturbation });
      }
    }
  }
});

Deno.test("hardware tiles fit 16 KiB of workgroup memory and 256 invocations", () => {
  for (const rows of [1, 4, 8, 9, 16, 17, 64, 500]) {
    for (const branches of [1, 2, 8]) {
      const tile = chooseTile("hardware", scalarLayout(4, "none", 32), rows, branches, 1000);
      const { kernel, columns, workgroup } = tile;
      // Vectors: partial sums and staged scales of 32 units; tiles: 32 columns of x and weights, and scales.
      const bytes = kernel === "vector"
        ? 16 * (workgroup * rows * branches + 32 * (branches + 1))
        : 4 * 32 * (tile.rows + columns) + 8 * columns;
      assert(bytes <= 16384 && workgroup <= 256, `${bytes} bytes for ${JSON.stringify(tile)}`);
      assertEquals(kernel, rows * branches <= 8 ? "vector" : "tiled");
    }
  }
});

Deno.test("matmul refuses tiles that its kernels cannot split", () => {
  using bench = new Bench(gpu);
  const tensor = bench.tensor("w", randomPacked(scalarLayout(4, "none", 64), 4, 192, random));
  const record = (tile: Tile): unknown =>
    matmul(new Graph(), bench.storage("x", new Float32Array(192)), tensor, {
      rows: 1,
      branches: 1,
      adapterClass: "hardware",
      tile,
    });
  assertThrows(
    () => record({ kernel: "tiled", rows: 64, columns: 64, workgroup: 64 }),
    RangeError,
    "Cannot split a tile of 64 x 64 among 64 invocations",
  );
  assertThrows(
    () => record({ kernel: "vector", rows: 1, columns: 8, workgroup: 64 }),
    RangeError,
    "Cannot multiply few rows by 8 columns",
  );
});
