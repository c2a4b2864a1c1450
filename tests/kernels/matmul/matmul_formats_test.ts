import { assertEquals, assertThrows } from "@std/assert";
import { embedding, matmul, type Tile } from "../../../kernels/mod.ts";
import {
  decode,
  formatByName,
  FORMATS,
  type Layout,
  type ScalarLayout,
} from "../../../quant/mod.ts";
import { matmul as oracle } from "../../reference/matmul.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { numbersBy, sampled } from "../../support/sampled.ts";
import {
  assertClose,
  below,
  Bench,
  normals,
  perturb,
  randomPacked,
  randomTensorOf,
  type TestPerturbation,
} from "../bench.ts";
import { contextOf } from "../context.ts";
import { checkProduct } from "../product.ts";

// Layouts with tables, 5 and 6 bits, super-blocks: one pass through the kernels, not every tile (matmul_test.ts has those).

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(17);

const table = (name: ScalarLayout["table"]): ScalarLayout => ({
  kind: "scalar",
  bits: 4,
  second: "none",
  group: 32,
  center: 0,
  table: name,
});

const layouts: Record<string, Layout> = {
  iq4_nl: table("iq4_nl"),
  nf4: table("nf4"),
  fp4: table("fp4"),
  mxfp4: table("mxfp4"),
  "int5 none": { kind: "scalar", bits: 5, second: "none", group: 32, center: 16 },
  "int5 min": { kind: "scalar", bits: 5, second: "min", group: 32, center: 0 },
  "int4 min about 8": { kind: "scalar", bits: 4, second: "min", group: 32, center: 8 },
  "int6 none": { kind: "scalar", bits: 6, second: "none", group: 32, center: 32 },
  "columns of 2 bits": { kind: "column", bits: 2, classes: 8 },
  "columns of 3 bits": { kind: "column", bits: 3, classes: 4 },
  "columns of 4 bits": { kind: "column", bits: 4, classes: 8 },
  "columns of 8 bits": { kind: "column", bits: 8, classes: 12 },
  "codebook 1x16": { kind: "codebook", books: 1, bits: 16 },
  "codebook 4x8": { kind: "codebook", books: 4 },
  "codebook 3x6": { kind: "codebook", books: 3, bits: 6 },
  "codebook 2x12 of 8": { kind: "codebook", books: 2, bits: 12 },
  "codebook 1x8 of 16": { kind: "codebook", books: 1, vector: 16 },
  "codebook 3x9 of 16": { kind: "codebook", books: 3, bits: 9, vector: 16 },
};

interface Way {
  readonly rows: number;
  readonly branches: number;
  /** Default: one of a few odd ones, and x in a storage buffer. */
  readonly outputs?: number;
  readonly adapterClass: "software" | "hardware";
  readonly tile?: Tile;
  readonly perturbation?: Omit<TestPerturbation, "span">;
}

const ways: readonly Way[] = [
  {
    rows: 5,
    branches: 2,
    adapterClass: "software",
    tile: { rows: 2, columns: 4, workgroup: 32 },
    perturbation: { form: "relative", distribution: "normal" },
  },
  { rows: 3, branches: 1, adapterClass: "software", tile: { rows: 4, columns: 4, workgroup: 32 } },
  {
    rows: 2,
    branches: 2,
    adapterClass: "hardware",
    perturbation: { form: "relative", distribution: "rademacher" },
  },
  {
    rows: 9,
    branches: 2,
    adapterClass: "hardware",
    perturbation: { form: "absolute", distribution: "none" },
  },
];

for (const format of FORMATS) {
  if (format.layout.kind === "super") layouts[format.name] = format.layout;
}

for (const [name, layout] of sampled("formats", Object.entries(layouts), 1 / 3)) {
  Deno.test(`matmul of ${name} equals the oracle`, async () => {
    // Scalar layouts differ in how a code is read, which each kernel's text says once: two kernels of each show it.
    const both = layout.kind === "super" || layout.kind === "column";
    for (const way of both ? ways : [ways[0], ways[3]]) {
      if (layout.kind === "scalar") {
        for (const [group, inputs] of [[layout.group, 96], [64, 160], [32, 256]]) {
          await check({ ...layout, group }, inputs, group, way);
        }
      } else if (layout.kind === "codebook") {
        const sizes = layout.vector === 16 ? [64, 192, 256] : [96, 160, 256];
        for (const inputs of sizes) await check(layout, inputs, inputs, way);
      } else {
        const form = way.perturbation && { ...way.perturbation, form: "relative" as const };
        // Exponents lie four to a word, which rows of 3 or 5 blocks do not fill.
        const blocks = layout.kind === "column" || name === "MXFP4";
        const sizes = blocks ? [96, 160, 256] : [256, 512, 256];
        for (const [i, inputs] of sizes.entries()) {
          const span = [32, inputs, 64][i];
          await check(layout, inputs, span, { ...way, perturbation: form });
        }
      }
    }
  });

  Deno.test(`rows of ${name} are gathered bit for bit as the host decodes them`, async () => {
    await checkGather(layout);
  });
}

async function check(layout: Layout, inputs: number, span: number, way: Way): Promise<void> {
  const random = numbersBy(JSON.stringify([layout, inputs, span, way]));
  const choices = layout.kind === "column" ? [24, 48] : [1, 6, 13, 35];
  await checkProduct(gpu, {
    layout,
    inputs,
    ...way,
    outputs: way.outputs ?? choices[below(choices.length, random)],
    ofGraph: way.outputs !== undefined,
    perturbation: way.perturbation && { ...way.perturbation, span },
  });
}

async function checkGather(layout: Layout): Promise<void> {
  const random = numbersBy(JSON.stringify(layout));
  using bench = new Bench(gpu);
  const [vocabulary, columns] = [7, 256];
  const packed = randomTensorOf(layout, vocabulary, columns, random);
  const tokens = [3, 0, 6, 6, 2];
  const context = contextOf(bench, { rows: tokens.length }, 1, { tokens });
  const y = embedding(context, bench.tensor("e", packed));
  const [actual] = await bench.run(y);
  const values = decode(packed);
  const normal = (value: number) => Math.abs(value) < 2 ** -126 ? 0 : value + 0;
  assertEquals(
    [...actual].map(normal),
    tokens.flatMap((token) => [...values.subarray(token * columns, (token + 1) * columns)])
      .map(normal),
  );
}

Deno.test("scales per column over pieces of rows equal the oracle, and a piece begins with the first class", async () => {
  const layout = { kind: "column", bits: 4, classes: 12 } as const;
  using bench = new Bench(gpu);
  const packed = randomPacked(layout, 400, 64, random);
  const tensor = bench.tensor("w", packed, 200 * 32);
  assertEquals(tensor.pieces.map(({ firstRow }) => firstRow), [0, 192, 384]);
  const { perturbation, weights } = perturb(
    bench,
    tensor,
    packed,
    { form: "relative", distribution: "normal", span: 64 },
    2,
    random,
  );
  const x = normals(2 * 3 * 64, random);
  const y = matmul(bench.graph, bench.storage("x", x), tensor, {
    rows: 3,
    branches: 2,
    perturbation,
    adapterClass: "software",
  });
  const [actual] = await bench.run(y);
  const shape = { branches: 2, rows: 3, inputs: 64, outputs: 400 };
  assertClose(actual, oracle(shape, weights, x, null, null), "pieces");
  assertThrows(() => bench.tensor("w", packed, 190 * 32), RangeError, "192 rows exceed");
});

Deno.test("Q6_K in the tile of many outputs, x in a uniform window, equals the oracle", async () => {
  await check(formatByName("Q6_K").layout, 256, 64, {
    rows: 17,
    branches: 2,
    outputs: 261,
    adapterClass: "software",
    perturbation: { form: "relative", distribution: "normal" },
  });
});

Deno.test("super-blocks are trained by relative offsets per multiple of 32 columns", () => {
  using bench = new Bench(gpu);
  const layout = formatByName("Q4_K").layout;
  const tensor = bench.tensor("w", randomTensorOf(layout, 4, 256, random));
  const x = bench.storage("x", new Float32Array(256));
  const offsets = bench.storage("offsets", new Float32Array(64));
  const product = (form: "absolute" | "relative", span: number) =>
    matmul(bench.graph, x, tensor, {
      rows: 1,
      branches: 1,
      adapterClass: gpu.adapterClass,
      perturbation: { form, span, stride: 4, id: 1, offsets },
    });
  assertThrows(() => product("absolute", 256), RangeError, 'Cannot train tensor "w" absolutely');
  assertThrows(() => product("relative", 48), RangeError, "one offset per 48 columns");
  product("relative", 96);
});
