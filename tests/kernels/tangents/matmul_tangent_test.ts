/**
 * Tangents of products and gathered rows, in every layout and kernel, against f64: `W' x + W x'`.
 */
import { embedding, matmul, type Tile } from "../../../kernels/mod.ts";
import type { Layout } from "../../../quant/mod.ts";
import { isRelativeOnly } from "../../../quant/layouts/layout.ts";
import { secondPart } from "../../../quant/layouts/trained_part.ts";
import { matmul as oracle } from "../../reference/matmul.ts";
import { layouts, scalar } from "../product_layouts.ts";
import { openSharedGpu } from "../one_device.ts";
import { numbersBy, sampled } from "../../support/sampled.ts";
import {
  assertClose,
  Bench,
  normals,
  perturb,
  randomTensorOf,
  type TestPerturbation,
} from "../bench.ts";
import { contextOf } from "../context.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

interface Way {
  readonly rows: number;
  readonly branches: number;
  readonly outputs: number;
  readonly adapterClass: "software" | "hardware";
  readonly tile?: Tile;
  readonly maxBinding?: number;
}

const tile: Tile = { rows: 2, columns: 4, workgroup: 32 };
const ways: readonly Way[] = [
  { rows: 5, branches: 3, outputs: 13, adapterClass: "software", tile },
  { rows: 1, branches: 2, outputs: 6, adapterClass: "software", tile: { ...tile, rows: 4 } },
  { rows: 3, branches: 2, outputs: 13, adapterClass: "hardware" },
  { rows: 18, branches: 3, outputs: 35, adapterClass: "hardware" },
];

/** What of a tensor is moved: neither, its scales, what it has besides, both. */
type Moved = "nothing" | "scales" | "second" | "both";

function inputsOf(layout: Layout): number {
  return layout.kind === "super" ? 256 : layout.kind === "codebook" ? 192 : 96;
}

/** Scales and what is besides them, moved as `moved` says. */
function movesOf(layout: Layout, inputs: number, moved: Moved, random: () => number) {
  const group = layout.kind === "scalar" ? layout.group || inputs : inputs;
  const form = isRelativeOnly(layout) || random() < 0.5 ? "relative" : "absolute";
  const span = layout.kind === "dense" ? 1 : isRelativeOnly(layout) ? 32 : group;
  const one = (form: TestPerturbation["form"], span: number): TestPerturbation => ({
    ...{ form, span, distribution: random() < 0.5 ? "normal" : "rademacher" },
  });
  return {
    scales: moved === "scales" || moved === "both" ? one(form, span) : undefined,
    second: moved === "second" || moved === "both"
      ? one(random() < 0.5 ? "relative" : "absolute", group)
      : undefined,
  };
}

/** The weights of the first branch, and of each other how they change. */
function weightsAndTangents(
  weightsAt: (times: number) => Float64Array[],
): { readonly still: Float64Array; readonly tangents: readonly Float64Array[] } {
  // Weights are of the second degree in the noise, where scales and what is besides them move: this difference is exact.
  const [more, less] = [weightsAt(1), weightsAt(-1)];
  return {
    still: weightsAt(0)[0],
    tangents: more.map((w, b) => w.map((value, i) => (value - less[b][i]) / 2)),
  };
}

async function checkMatmul(name: string, layout: Layout, way: Way, moved: Moved): Promise<void> {
  const random = numbersBy(JSON.stringify([name, way, moved]));
  const { rows, branches, outputs, adapterClass } = way;
  const inputs = inputsOf(layout);
  const rounded = layout.kind === "column" ? 8 * Math.ceil(outputs / 8) : outputs;
  using bench = new Bench(gpu);
  const packed = randomTensorOf(layout, rounded, inputs, random);
  const tensor = bench.tensor("w", packed, way.maxBinding);
  const { scales, second } = movesOf(layout, inputs, moved, random);
  const made = perturb(bench, tensor, packed, scales, branches, random, second);
  const { still, tangents } = weightsAndTangents(made.weightsAt);
  const x = normals(branches * rows * inputs, random);
  const bias = normals(rounded, random);
  const residual = normals(branches * rows * rounded, random);
  const y = bench.graph.withTangents(
    branches - 1,
    () =>
      matmul(bench.graph, bench.value("x", x), tensor, {
        ...{ rows, branches, adapterClass, tile: way.tile },
        perturbation: made.perturbation,
        plane: made.plane,
        bias: bench.storage("bias", bias),
        residual: bench.value("residual", residual),
      }),
  );
  const [actual] = await bench.run(y);
  const shape = { branches: 1, rows, inputs, outputs: rounded };
  const rowsOf = (b: number) => x.subarray(b * rows * inputs, (b + 1) * rows * inputs);
  const expected = tangents.flatMap((change, b) => {
    const product = oracle(shape, [still], rowsOf(b));
    const along = b === 0 ? undefined : oracle(shape, [change], rowsOf(0));
    return [...product].map((value, i) =>
      value + (along ? along[i] : bias[i % rounded]) + residual[b * rows * rounded + i]
    );
  });
  assertClose(actual, expected, JSON.stringify([name, way, moved, scales, second]));
}

for (const [name, layout] of sampled("tangents of products", [...layouts], 1 / 6)) {
  Deno.test(`tangents of products with ${name} equal the oracle's`, async () => {
    const both = secondPart(layout) !== undefined;
    for (const way of ways) await checkMatmul(name, layout, way, both ? "both" : "scales");
    const others: readonly Moved[] = both ? ["nothing", "scales", "second"] : ["nothing"];
    for (const moved of others) await checkMatmul(name, layout, ways[0], moved);
  });
}

Deno.test("tangents of products in pieces, windows and large tiles equal the oracle's", async () => {
  const software = { adapterClass: "software", branches: 2 } as const;
  await checkMatmul("zero", scalar("zero"), { ...software, rows: 17, outputs: 261 }, "both");
  // One window has room for all rows, and none for their tangents as well.
  await checkMatmul("none", scalar("zero"), { ...software, rows: 100, outputs: 450 }, "scales");
  const pieces = { rows: 70, outputs: 1100, maxBinding: 64 * 1024 };
  await checkMatmul("min", scalar("min", 8), { ...software, ...pieces }, "both");
});

for (const [name, layout] of sampled("tangents of rows", [...layouts], 1 / 6)) {
  Deno.test(`tangents of gathered rows of ${name} equal the oracle's`, async () => {
    const moves: readonly Moved[] = secondPart(layout)
      ? ["nothing", "second", "both"]
      : ["nothing", "scales"];
    for (const moved of moves) {
      const random = numbersBy(name + moved);
      const [rows, branches, columns] = [16, 3, inputsOf(layout)];
      using bench = new Bench(gpu);
      const packed = randomTensorOf(layout, rows, columns, random);
      const table = bench.tensor("w", packed);
      const { scales, second } = movesOf(layout, columns, moved, random);
      const made = perturb(bench, table, packed, scales, branches, random, second);
      const { still, tangents } = weightsAndTangents(made.weightsAt);
      const tokens = [3, 0, 15, 3, 7];
      const context = contextOf(bench, { rows: tokens.length }, branches, { tokens });
      const y = bench.graph.withTangents(branches - 1, () =>
        embedding(
          {
            ...context,
            perturbation: (one) => one === "w" ? made.perturbation : made.plane,
          },
          table,
          { factor: 3 },
        ));
      const [actual] = await bench.run(y);
      const expected = tangents.flatMap((change, b) =>
        tokens.flatMap((token) =>
          [...(b === 0 ? still : change).subarray(token * columns, (token + 1) * columns)]
            .map((value) => 3 * value)
        )
      );
      assertClose(actual, expected, JSON.stringify([name, moved]));
    }
  });
}
