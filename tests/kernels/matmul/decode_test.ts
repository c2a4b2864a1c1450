/**
 * Every layout in WGSL against the host's decoder, bit for bit; and codes of all ones, which not every writer makes: kernels read
 * nothing outside their tables.
 */
import { assertEquals } from "@std/assert";
import { layoutKey } from "../../../kernels/matmul/layout_key.ts";
import { embedding, matmul } from "../../../kernels/mod.ts";
import { decode, FORMATS, type Layout, type PackedTensor } from "../../../quant/mod.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { matmul as oracle } from "../../reference/matmul.ts";
import { openSharedGpu } from "../one_device.ts";
import { numbersBy, sampled } from "../../support/sampled.ts";
import { assertClose, Bench, normals, randomTensorOf } from "../bench.ts";
import { contextOf } from "../context.ts";

const gpu = await openSharedGpu();
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

/** The rows of a table as a kernel gathers them and as the host decodes them, bit for bit (but for what is subnormal). */
async function checkRows(t: PackedTensor, what: string): Promise<void> {
  using bench = new Bench(gpu);
  const tokens = Array.from({ length: t.rows }, (_, row) => row);
  const context = contextOf(bench, { rows: t.rows }, 1, { tokens });
  const [values] = await bench.run(embedding(context, bench.tensor("e", t)));
  const normal = (value: number) => Math.abs(value) < 2 ** -126 ? 0 : value + 0;
  assertEquals(values.map(normal), decode(t).map(normal), what);
}

const taken = sampled("decode", [...layouts.values()]);

Deno.test(`WGSL decodes ${taken.length} layouts as the host does, random codes and codes of all ones`, async () => {
  const [rows, columns] = [8, 256];
  const shape = { branches: 1, rows: 2, inputs: columns, outputs: rows };
  for (const layout of taken) {
    const what = JSON.stringify(layout);
    const random = numbersBy(what);
    const t = randomTensorOf(layout, rows, columns, random);
    await checkRows(t, what);
    t.codes.fill(0xffffffff);
    await checkRows(t, what);
    const x = normals(2 * columns, random);
    const expected = oracle(shape, [effectiveWeights(t)], x, null, null);
    for (const adapterClass of ["software", "hardware"] as const) {
      using bench = new Bench(gpu);
      const options = { rows: 2, branches: 1, adapterClass };
      const y = matmul(bench.graph, bench.storage("x", x), bench.tensor("w", t), options);
      const [actual] = await bench.run(y);
      assertClose(actual, expected, `${what} on ${adapterClass}`);
    }
  }
});
