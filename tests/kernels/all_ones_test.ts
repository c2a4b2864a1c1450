/**
 * Codes of all ones, which no writer makes in every format, in every layout: kernels read nothing outside their tables, and give what
 * the host decodes.
 */
import { assertEquals } from "@std/assert";
import { layoutKey } from "../../kernels/layout_key.ts";
import { embedding, matmul, openGpu } from "../../kernels/mod.ts";
import { decode, FORMATS, type Layout } from "../../quant/mod.ts";
import { effectiveWeights } from "../reference/effective_weights.ts";
import { matmul as oracle } from "../reference/matmul.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { assertClose, Bench, normals, randomTensorOf } from "./bench.ts";
import { contextOf } from "./context.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** One layout for each way in which a shader reads codes. */
const layouts = new Map<string, Layout>();
const more: Layout[] = [
  { kind: "codebook", books: 3, bits: 5 },
  { kind: "codebook", books: 1, bits: 11, vector: 16 },
  { kind: "codebook", books: 4, bits: 13 },
  ...([2, 3, 4, 8] as const).map((bits): Layout => ({ kind: "column", bits, classes: 4 })),
];
for (const layout of [...FORMATS.map((format) => format.layout), ...more]) {
  const key = JSON.stringify(layoutKey(layout));
  if (layout.kind !== "dense" && !layouts.has(key)) layouts.set(key, layout);
}

Deno.test(`codes of all ones in ${layouts.size} layouts give what the host decodes`, async () => {
  const random = randomNumbers(3);
  const [rows, columns] = [8, 256];
  for (const layout of layouts.values()) {
    const t = randomTensorOf(layout, rows, columns, random);
    t.codes.fill(0xffffffff);
    const what = JSON.stringify(layout);
    const x = normals(2 * columns, random);
    const weights = [effectiveWeights(t)];
    const expected = oracle(
      { branches: 1, rows: 2, inputs: columns, outputs: rows },
      weights,
      x,
      null,
      null,
    );
    for (const adapterClass of ["software", "hardware"] as const) {
      using bench = new Bench(gpu);
      const options = { rows: 2, branches: 1, adapterClass };
      const y = matmul(bench.graph, bench.storage("x", x), bench.tensor("w", t), options);
      const [actual] = await bench.run(y);
      assertClose(actual, expected, `${what} on ${adapterClass}`);
    }
    using bench = new Bench(gpu);
    const context = contextOf(bench, { rows: 1 }, 1, { tokens: [rows - 1] });
    const [row] = await bench.run(embedding(context, bench.tensor("e", t)));
    const host = decode(t).subarray((rows - 1) * columns);
    const normal = (value: number) => Math.abs(value) < 2 ** -126 ? 0 : value + 0;
    assertEquals([...row].map(normal), [...host].map(normal), what);
  }
});
