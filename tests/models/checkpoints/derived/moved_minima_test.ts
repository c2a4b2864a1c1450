import { assertEquals } from "@std/assert";
import type { ModelSource, TrainedTensor } from "../../../../models/mod.ts";
import { foldedSource } from "../../../../models/checkpoints/derived/folded.ts";
import { formatByName, offsetCount, quantize, readScales } from "../../../../quant/mod.ts";
import { readSeconds } from "../../../../quant/layouts/decode.ts";
import { normals } from "../../../quant/random.ts";
import { tinySource } from "../../../train/tiny_model.ts";

const NAME = "blk.0.attn_q.weight";

/** Scales and minima (zero points) of the tensor. */
async function secondsOf(source: ModelSource): Promise<{ scales: number[]; minima: number[] }> {
  const { read, rows } = source.tensors.get(NAME)!;
  const packed = await read(0, rows);
  return { scales: [...readScales(packed)], minima: [...readSeconds(packed)] };
}

Deno.test("relative offsets of scales multiply minima, unless these have their own; absolute ones leave them", async () => {
  const base = await tinySource("Q4_1");
  const { rows, columns, format } = base.tensors.get(NAME)!;
  const count = offsetCount(format.layout, rows, columns, 0);
  const offsets = normals(3, count).map((value) => 0.1 * value);
  const own = normals(4, count).map((value) => 0.1 * value);
  const of = (form: TrainedTensor["form"], offsets: Float32Array): TrainedTensor => ({
    form,
    span: 0,
    offsets,
  });
  const folded = (trained: Record<string, TrainedTensor>) =>
    secondsOf(foldedSource(base, new Map(Object.entries(trained))));
  const before = await secondsOf(base);
  const groups = columns / 32;
  const times = (values: readonly number[], offsets: Float32Array) =>
    values.map((value, i) => Math.f16round(value * (1 + offsets[Math.floor(i / groups)])));

  assertEquals(await folded({ [NAME]: of("relative", offsets) }), {
    scales: times(before.scales, offsets),
    minima: times(before.minima, offsets),
  });
  const both = { [NAME]: of("relative", offsets), [`${NAME}.minima`]: of("relative", own) };
  assertEquals(await folded(both), {
    scales: times(before.scales, offsets),
    minima: times(before.minima, own),
  });
  const absolute = await folded({ [NAME]: of("absolute", offsets) });
  assertEquals(absolute.minima, before.minima);
});

Deno.test("zero points stay where relative offsets multiply the weight by the scale alone", async () => {
  const values = normals(5, 4 * 64);
  const packed = quantize(values, 4, 64, "int4z_g32");
  const format = formatByName("int4z_g32");
  const source: ModelSource = {
    ...await tinySource("Q4_1"),
    tensors: new Map([[NAME, {
      name: NAME,
      rows: 4,
      columns: 64,
      format,
      read: () => Promise.resolve(packed),
    }]]),
  };
  const offsets = new Float32Array([0.5, 0.25, -0.5, 0]);
  const trained = new Map([[NAME, { form: "relative", span: 0, offsets } as const]]);
  const folded = await secondsOf(foldedSource(source, trained));
  assertEquals(folded.minima, [...readSeconds(packed)]);
  assertEquals(
    folded.scales,
    [...readScales(packed)].map((scale, i) =>
      Math.f16round(scale * (1 + offsets[Math.floor(i / 2)]))
    ),
  );
});
