import { matmul, perturbedVector, type Tile } from "../../../kernels/mod.ts";
import type { Layout } from "../../../quant/mod.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { matmul as oracle } from "../../reference/matmul.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import {
  assertClose,
  Bench,
  normals,
  perturb,
  randomPacked,
  type TestPerturbation,
} from "../bench.ts";

// Vectors, such as biases, that differ by branch: alone, and as every kernel of matrix products adds them.

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(31);
const f32: Layout = { kind: "dense", type: "f32" };

function vector(bench: Bench, columns: number, branches: number, test: TestPerturbation) {
  const packed = randomPacked(f32, 1, columns, random);
  const tensor = bench.tensor("blk.0.attn_q.bias", packed);
  const { perturbation, weights } = perturb(bench, tensor, packed, test, branches, random);
  const value = perturbedVector(bench.graph, tensor, perturbation!, branches);
  return { value, weights };
}

Deno.test("a vector as every branch has it equals the oracle", async () => {
  for (const columns of [4, 68, 300]) {
    for (const form of ["absolute", "relative"] as const) {
      for (
        const distribution of [
          "normal",
          "rademacher",
          { dense: "normal", structure: "lowRank" },
          "none",
        ] as const
      ) {
        using bench = new Bench(gpu);
        const test = { form, distribution, span: 1 };
        const { value, weights } = vector(bench, columns, 3, test);
        const [actual] = await bench.run(value);
        assertClose(actual, weights.flatMap((w) => [...w]), JSON.stringify([columns, test]));
      }
    }
  }
});

interface Way {
  readonly rows: number;
  readonly branches: number;
  readonly adapterClass: "software" | "hardware";
  readonly tile?: Tile;
  readonly outputs: number;
  readonly maxBinding?: number;
}

const ways: Record<string, Way[]> = {
  "register tiles": [
    { rows: 5, branches: 3, adapterClass: "software", outputs: 36 },
    // Fewer rows than the tile: it holds rows of several branches.
    {
      rows: 1,
      branches: 3,
      adapterClass: "software",
      outputs: 12,
      tile: { rows: 4, columns: 4, workgroup: 32 },
    },
    { rows: 3, branches: 2, adapterClass: "software", outputs: 132, maxBinding: 64 * 96 * 2 },
  ],
  vectors: [{ rows: 2, branches: 2, adapterClass: "hardware", outputs: 12 }],
  "tiles in workgroup memory": [{ rows: 9, branches: 2, adapterClass: "hardware", outputs: 20 }],
};

for (const [kernel, list] of Object.entries(ways)) {
  Deno.test(`a bias that differs by branch is added in ${kernel} as by the oracle`, async () => {
    for (const way of list) {
      const layouts: Layout[] = [
        { kind: "dense", type: "f16" },
        { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 },
      ];
      for (const layout of layouts) {
        using bench = new Bench(gpu);
        const { rows, branches, outputs, adapterClass, tile } = way;
        const inputs = 96;
        const packed = randomPacked(layout, outputs, inputs, random);
        const tensor = bench.tensor("w", packed, way.maxBinding);
        const bias = vector(bench, outputs, branches, {
          form: "absolute",
          span: 1,
          distribution: "normal",
        });
        const x = normals(branches * rows * inputs, random);
        const residual = normals(branches * rows * outputs, random);
        const y = matmul(bench.graph, bench.value("x", x), tensor, {
          rows,
          branches,
          tile,
          adapterClass,
          bias: bias.value,
          residual: bench.value("residual", residual),
        });
        const [actual] = await bench.run(y);
        const one = effectiveWeights(packed);
        const expected = bias.weights.flatMap((vector, b) => {
          const ofBranch = (all: Float32Array, width: number) =>
            all.subarray(b * rows * width, (b + 1) * rows * width);
          const shape = { branches: 1, rows, inputs, outputs };
          const [mine, added] = [ofBranch(x, inputs), ofBranch(residual, outputs)];
          return [...oracle(shape, [one], mine, vector, added)];
        });
        assertClose(actual, expected, JSON.stringify({ layout, way }));
      }
    }
  });
}
