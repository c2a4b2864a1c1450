import { assertEquals, assertThrows } from "@std/assert";
import {
  bytesSource,
  decode,
  foldPatch,
  foldScales,
  formatByName,
  FORMATS,
  offsetCount,
  patchGguf,
  quantize,
  readGguf,
  writeGguf,
} from "../../../quant/mod.ts";
import { collect } from "../collect.ts";
import { normals } from "../random.ts";

/** `d`, and the top byte of each of eight words with a scale above signs. */
const aboveSigns = (first: number, step: number): [number, number][] => [
  [0, 2],
  ...Array.from({ length: 8 }, (_, b): [number, number] => [
    first + step * b + 3,
    first + step * b + 4,
  ]),
];

/** Where scales and minima lie in a block, how wide a span to train, how large the offsets. */
const CASES: Record<string, { scales: [number, number][]; span: number; size?: number }> = {
  Q4_0: { scales: [[0, 2]], span: 32 },
  Q4_1: { scales: [[0, 2]], span: 64 },
  Q5_0: { scales: [[0, 2]], span: 32 },
  Q5_1: { scales: [[0, 2]], span: 32 },
  Q8_0: { scales: [[0, 2]], span: 32 },
  IQ4_NL: { scales: [[0, 2]], span: 32 },
  F32: { scales: [[0, 4]], span: 32 },
  F16: { scales: [[0, 2]], span: 32 },
  BF16: { scales: [[0, 2]], span: 32 },
  Q2_K: { scales: [[0, 16], [80, 84]], span: 64 },
  Q3_K: { scales: [[96, 110]], span: 32 },
  Q4_K: { scales: [[0, 16]], span: 128 },
  Q5_K: { scales: [[0, 4]], span: 256 },
  Q6_K: { scales: [[192, 210]], span: 64 },
  IQ4_XS: { scales: [[0, 8]], span: 96 },
  MXFP4: { scales: [[0, 1]], span: 32, size: 1 },
  IQ1_S: { scales: [[0, 2], [34, 50]], span: 64 },
  IQ1_M: { scales: [[48, 56]], span: 64 },
  IQ2_XXS: { scales: aboveSigns(6, 8), span: 32, size: 0.3 },
  IQ2_XS: { scales: [[0, 2], [66, 74]], span: 32, size: 0.3 },
  IQ2_S: { scales: [[0, 2], [74, 82]], span: 256 },
  IQ3_XXS: { scales: aboveSigns(66, 4), span: 128 },
  IQ3_S: { scales: [[0, 2], [106, 110]], span: 32, size: 0.3 },
  TQ1_0: { scales: [[52, 54]], span: 256 },
  TQ2_0: { scales: [[64, 66]], span: 256 },
};

Deno.test("a tuned copy differs in scale bytes only and decodes to the folded tensor", async () => {
  const [rows, columns] = [7, 512];
  const names = Object.keys(CASES);
  const inGguf = FORMATS.filter(({ gguf }) => gguf).map(({ name }) => name);
  assertEquals(names.toSorted(), inGguf.toSorted());
  const bases = names.map((name, i) => quantize(normals(i, rows * columns), rows, columns, name));
  const tensors = names.map((name, i) => ({
    name,
    dimensions: [columns, rows],
    type: formatByName(name).gguf!.type,
    bytes: formatByName(name).pack(bases[i]),
  }));
  const bytes = await collect(writeGguf({ metadata: { "general.name": "base" }, tensors }));
  const source = bytesSource(bytes);
  const file = await readGguf(source);
  for (const [i, name] of names.entries()) {
    const tensor = file.tensorByName(name);
    const { scales, span, size = 0.1 } = CASES[name];
    const count = offsetCount(bases[i].layout, rows, columns, span);
    const none = foldPatch(tensor, new Float32Array(count), "relative", span);
    assertEquals(await collect(patchGguf(source, file, new Map([[name, none.patch]]), 200)), bytes);
    const offsets = normals(i + 10, count).map((value) => value * size);
    const fold = foldPatch(tensor, offsets, "relative", span);
    const tuned = await collect(patchGguf(source, file, new Map([[name, fold.patch]]), 200));
    const { tensor: folded, changed, swallowed } = foldScales(bases[i], offsets, "relative", span);
    assertEquals(fold.counts, { changed, swallowed });
    const stored = tuned.slice(tensor.offset, tensor.offset + tensor.byteLength);
    assertEquals(decode(formatByName(name).unpack(stored, rows, columns)), decode(folded));
    const { blockBytes } = formatByName(name).gguf!;
    let different = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (tuned[at] === bytes[at]) continue;
      different++;
      const inTensor = at - tensor.offset;
      const inBlock = inTensor % blockBytes;
      const isScale = inTensor >= 0 && inTensor < tensor.byteLength &&
        scales.some(([from, to]) => inBlock >= from && inBlock < to);
      assertEquals(isScale, true, `${name}: byte ${inBlock} of a block`);
    }
    assertEquals(different > 0 && changed > 0, true, name);
    assertThrows(() => foldPatch(tensor, new Float32Array(1), "relative", span), TypeError, name);
  }
});

Deno.test("minima of a GGUF tensor are folded beside its scales, and nothing else", async () => {
  const [rows, columns, name] = [7, 64, "Q5_1"];
  const format = formatByName(name);
  const base = quantize(normals(3, rows * columns), rows, columns, name);
  const tensors = [{
    name,
    dimensions: [columns, rows],
    type: format.gguf!.type,
    bytes: format.pack(base),
  }];
  const bytes = await collect(writeGguf({ metadata: {}, tensors }));
  const file = await readGguf(bytesSource(bytes));
  const tensor = file.tensorByName(name);
  const offsets = normals(4, offsetCount(base.layout, rows, columns, 32)).map((w) => w * 0.1);
  const fold = foldPatch(tensor, offsets, "relative", 32, "minima");
  const tuned = await collect(
    patchGguf(bytesSource(bytes), file, new Map([[name, fold.patch]]), 100),
  );
  const { tensor: folded } = foldScales(base, offsets, "relative", 32, { part: "minima" });
  const stored = tuned.slice(tensor.offset, tensor.offset + tensor.byteLength);
  assertEquals(format.unpack(stored, rows, columns), folded);
  const changed = [...bytes.keys()].filter((at) => tuned[at] !== bytes[at]);
  assertEquals(changed.length > 0, true);
  for (const at of changed) {
    const inBlock = (at - tensor.offset) % format.gguf!.blockBytes;
    assertEquals(inBlock === 2 || inBlock === 3, true, `byte ${inBlock} of a block`);
  }
});
