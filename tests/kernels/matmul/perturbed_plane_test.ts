import { assertThrows } from "@std/assert";
import { embedding, type Tile, trainableOf } from "../../../kernels/mod.ts";
import type { Layout, ScalarLayout } from "../../../quant/mod.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { numbersBy, sampled } from "../../support/sampled.ts";
import {
  assertClose,
  below,
  Bench,
  perturb,
  randomPacked,
  type TestPerturbation,
} from "../bench.ts";
import { contextOf } from "../context.ts";
import { checkProduct } from "../product.ts";

// Codebooks, minima and zero points that differ by branch, in every kernel, with and without scales that differ too.

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
let random = randomNumbers(29);

const scalar = (bits: ScalarLayout["bits"], second: "min" | "zero", center = 0): Layout => ({
  kind: "scalar",
  bits,
  second,
  group: 32,
  center,
});

const layouts: Record<string, Layout> = {
  "codebook 2x8": { kind: "codebook", books: 2 },
  // Too large for a uniform binding.
  "codebook 1x12": { kind: "codebook", books: 1, bits: 12 },
  "codebook 2x9 of 16": { kind: "codebook", books: 2, bits: 9, vector: 16 },
  "int4 min about 8": scalar(4, "min", 8),
  "int8 zero": scalar(8, "zero"),
};

interface Way {
  readonly rows: number;
  readonly branches: number;
  readonly adapterClass: "software" | "hardware";
  readonly tile?: Tile;
  readonly outputs?: number;
  readonly extras?: boolean;
  readonly maxBinding?: number;
  readonly scales?: Omit<TestPerturbation, "span">;
  readonly plane: Omit<TestPerturbation, "span">;
}

const small: Tile = { rows: 2, columns: 4, workgroup: 32 };
const ways: Record<string, Way[]> = {
  "register tiles": [
    {
      rows: 5,
      branches: 3,
      adapterClass: "software",
      tile: small,
      extras: true,
      scales: { form: "relative", distribution: "normal" },
      plane: { form: "relative", distribution: "normal" },
    },
    // Fewer rows than the tile: it stays in one branch.
    {
      rows: 1,
      branches: 3,
      adapterClass: "software",
      tile: { ...small, rows: 4 },
      plane: { form: "absolute", distribution: "rademacher" },
    },
  ],
  vectors: [
    {
      rows: 2,
      branches: 2,
      adapterClass: "hardware",
      extras: true,
      scales: { form: "absolute", distribution: "rademacher" },
      plane: { form: "absolute", distribution: "rademacher" },
    },
    {
      rows: 1,
      branches: 2,
      adapterClass: "hardware",
      plane: { form: "relative", distribution: "normal" },
    },
  ],
  "tiles in workgroup memory": [
    {
      rows: 9,
      branches: 2,
      adapterClass: "hardware",
      scales: { form: "relative", distribution: "normal" },
      plane: { form: "absolute", distribution: "normal" },
    },
    {
      rows: 17,
      branches: 1,
      adapterClass: "hardware",
      extras: true,
      plane: { form: "relative", distribution: "none" },
    },
  ],
};

/** A span that an absolute offset has, or that a relative one may have: of the scales, and of the minima. */
function spanOf(layout: Layout, inputs: number, form: TestPerturbation["form"]): number {
  if (layout.kind !== "scalar") return inputs;
  const group = layout.group || inputs;
  return form === "absolute" ? group : [group, 2 * group, inputs][below(3, random)];
}

async function check(layout: Layout, inputs: number, way: Way): Promise<void> {
  const { scales, plane, extras = false, outputs, ...product } = way;
  random = numbersBy(JSON.stringify([layout, inputs, way]));
  const spanned = (test: Omit<TestPerturbation, "span">) => ({
    ...test,
    span: spanOf(layout, inputs, test.form),
  });
  await checkProduct(gpu, {
    ...{ layout, inputs, ...product, ofGraph: true, bias: extras, residual: extras },
    outputs: outputs ?? [1, 6, 13, 35][below(4, random)],
    perturbation: scales && spanned(scales),
    plane: spanned(plane),
  });
}

const matrix = Object.entries(ways).flatMap(([kernel, list]) =>
  Object.entries(layouts).map(([name, layout]) => ({ kernel, list, name, layout }))
);
for (const { kernel, list, name, layout } of sampled("planes by branch", matrix, 1 / 2)) {
  Deno.test(`${name} that differs by branch, in ${kernel}, equals the oracle`, async () => {
    for (const way of list) {
      if (layout.kind === "codebook") {
        for (const inputs of layout.vector === 16 ? [64, 192] : [96, 256]) {
          await check(layout, inputs, way);
        }
      } else if (layout.kind === "scalar") {
        for (const [group, inputs] of [[32, 256], [64, 160]]) {
          await check({ ...layout, group }, inputs, way);
        }
      }
    }
  });
}

Deno.test("planes by branch in many pieces, windows and large tiles equal the oracle", async () => {
  const noisy = { form: "relative", distribution: "normal" } as const;
  for (const layout of [layouts["codebook 2x8"], layouts["int4 min about 8"]]) {
    const both = { adapterClass: "software", scales: noisy, plane: noisy } as const;
    await check(layout, 64, { ...both, rows: 17, branches: 2, outputs: 261 });
    await check(layout, 256, {
      ...both,
      rows: 70,
      branches: 2,
      outputs: 1100,
      tile: { ...small, rows: 4 },
    });
    const rowBytes = layout.kind === "codebook"
      ? 32
      : layout.kind === "scalar"
      ? 16 * layout.bits
      : 0;
    for (const adapterClass of ["software", "hardware"] as const) {
      const way = { ...both, adapterClass, rows: 3, branches: 2, outputs: 150 };
      await check(layout, 128, { ...way, maxBinding: 64 * rowBytes });
    }
  }
});

Deno.test("noise of planes knows the matrix of the offsets and the share", async () => {
  for (const layout of [layouts["codebook 2x8"], layouts["int8 zero"]]) {
    for (
      const distribution of [{ dense: "normal", structure: "lowRank" }, {
        dense: "rademacher",
        structure: "mask",
      }] as const
    ) {
      const plane = { form: "relative", distribution } as const;
      await check(layout, 160, {
        rows: 5,
        branches: 2,
        adapterClass: "software",
        tile: small,
        plane,
      });
    }
  }
});

for (const [name, layout] of sampled("gathered planes", Object.entries(layouts), 1 / 2)) {
  Deno.test(`rows of ${name} that differs by branch are gathered as the oracle has them`, async () => {
    random = numbersBy(name);
    using bench = new Bench(gpu);
    const [vocabulary, columns, branches] = [7, 192, 2];
    const packed = randomPacked(layout, vocabulary, columns, random);
    const table = bench.tensor("e", packed);
    const noisy: TestPerturbation = {
      form: "relative",
      distribution: "normal",
      span: spanOf(layout, columns, "relative"),
    };
    const parts = perturb(bench, table, packed, noisy, branches, random, noisy);
    const tokens = [3, 0, 6, 6, 2];
    const context = contextOf(bench, { rows: tokens.length }, branches, { tokens });
    const y = embedding({
      ...context,
      perturbation: (name) => name === "e" ? parts.perturbation : parts.plane,
    }, table);
    const [actual] = await bench.run(y);
    const expected = parts.weights.flatMap((weights) =>
      tokens.flatMap((token) => [...weights.subarray(token * columns, (token + 1) * columns)])
    );
    assertClose(actual, expected, name);
  });
}

Deno.test("what a tensor does not have is not trained, nor a minimum by half", () => {
  using bench = new Bench(gpu);
  const plain = bench.tensor("w", randomPacked({ kind: "dense", type: "f16" }, 4, 64, random));
  assertThrows(() => trainableOf(plain, 1, "absolute", 1, "minima"), RangeError, "none of its own");
  const minima = bench.tensor("w", randomPacked(layouts["int8 zero"], 4, 64, random));
  assertThrows(() => trainableOf(minima, 1, "relative", 32, "codebook"), RangeError, "codebook");
  const wide = bench.tensor(
    "w",
    randomPacked({ ...scalar(4, "zero"), group: 64 } as Layout, 4, 192, random),
  );
  for (const span of [32, 96]) {
    assertThrows(
      () => trainableOf(wide, 1, "relative", span, "minima"),
      RangeError,
      `Cannot train "w.minima" with one offset per ${span} columns`,
    );
  }
  assertThrows(() => trainableOf(wide, 1, "absolute", 128, "minima"), RangeError, "absolutely");
});
