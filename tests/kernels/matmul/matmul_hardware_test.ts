import { assert, assertEquals, assertThrows } from "@std/assert";
import { chooseTile, Graph, matmul, openGpu, type Tile } from "../../../kernels/mod.ts";
import type { Layout, ScalarLayout } from "../../../quant/mod.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { matmul as oracle } from "../../reference/matmul.ts";
import { normalisedMeanSquaredError } from "../../reference/nmse.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { below, Bench, normals, perturb, randomPacked, type TestPerturbation } from "../bench.ts";

// The kernels that GPUs get, run on whatever adapter is here.

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(11);

interface Case {
  readonly layout: Layout;
  readonly outputs: number;
  readonly inputs: number;
  readonly rows: number;
  readonly branches: number;
  readonly tile?: Tile;
  readonly perturbation?: TestPerturbation | undefined;
  /** Bias and residual. */
  readonly extras?: boolean;
  readonly maxBinding?: number;
}

async function check(c: Case): Promise<void> {
  const { layout, outputs, inputs, rows, branches, tile } = c;
  using bench = new Bench(gpu);
  const packed = randomPacked(layout, outputs, inputs, random);
  const tensor = bench.tensor("w", packed, c.maxBinding);
  const { perturbation, weights } = c.perturbation
    ? perturb(bench, tensor, packed, c.perturbation, branches, random)
    : { perturbation: undefined, weights: Array(branches).fill(effectiveWeights(packed)) };
  const x = normals(branches * rows * inputs, random);
  const bias = c.extras ? normals(outputs, random) : null;
  const residual = c.extras ? normals(branches * rows * outputs, random) : null;
  const y = matmul(bench.graph, bench.storage("x", x), tensor, {
    rows,
    branches,
    tile,
    perturbation,
    adapterClass: "hardware",
    bias: bias ? bench.storage("bias", bias) : undefined,
    residual: residual ? bench.value("residual", residual) : undefined,
  });
  const [actual] = await bench.run(y);
  const expected = oracle({ branches, rows, inputs, outputs }, weights, x, bias, residual);
  const error = normalisedMeanSquaredError(actual, expected);
  assert(error <= 1e-7, `error ${error} of ${JSON.stringify(c)}`);
}

const scalar = (
  bits: ScalarLayout["bits"],
  second: ScalarLayout["second"],
  group: number,
): ScalarLayout => ({
  kind: "scalar",
  bits,
  second,
  group,
  center: second === "none" ? 2 ** (bits - 1) : 0,
});

const layouts: Record<string, (group: number) => Layout> = {
  f32: () => ({ kind: "dense", type: "f32" }),
  f16: () => ({ kind: "dense", type: "f16" }),
  bf16: () => ({ kind: "dense", type: "bf16" }),
  "codebook 1x8": () => ({ kind: "codebook", books: 1 }),
  "codebook 2x8": () => ({ kind: "codebook", books: 2 }),
  "int2 zero": (group) => scalar(2, "zero", group),
  "int3 none": (group) => scalar(3, "none", group),
  "int4 none": (group) => scalar(4, "none", group),
  "int4 zero": (group) => scalar(4, "zero", group),
  "int4 min": (group) => scalar(4, "min", group),
  "int8 min": (group) => scalar(8, "min", group),
};

const forms: readonly (Pick<TestPerturbation, "form" | "distribution"> | undefined)[] = [
  undefined,
  { form: "absolute", distribution: "none" },
  { form: "relative", distribution: "normal" },
];

const kernels: Record<string, readonly (Pick<Case, "rows" | "branches" | "tile">)[]> = {
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
          extras: i === 2,
          perturbation: form &&
            { ...form, span: form.form === "absolute" ? block : span },
        });
      }
    });
  }
}

Deno.test("matmul on hardware takes many rows, more units than are staged, pieces and Rademacher noise", async () => {
  const perturbation = { form: "absolute", distribution: "rademacher" } as const;
  const layout = scalar(4, "none", 32);
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
      extras: true,
    });
  }
});

Deno.test("noise on hardware knows the matrix of the offsets and the share of the tensor", async () => {
  for (const [rows, branches] of [[1, 3], [9, 2]]) {
    for (const layout of [scalar(4, "zero", 32), layouts.f32(0)]) {
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
      const tile = chooseTile("hardware", scalar(4, "none", 32), rows, branches, 1000);
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
  const tensor = bench.tensor("w", randomPacked(scalar(4, "none", 64), 4, 192, random));
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
