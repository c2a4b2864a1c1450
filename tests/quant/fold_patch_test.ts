import { assertEquals, assertThrows } from "@std/assert";
import {
  bytesSource,
  decode,
  foldPatch,
  foldScales,
  formatByName,
  offsetCount,
  patchGguf,
  quantize,
  readGguf,
  writeGguf,
} from "../../quant/mod.ts";
import { collect } from "./collect.ts";
import { normals } from "./random.ts";

Deno.test("a tuned copy differs in scale bytes only and decodes to the folded tensor", async () => {
  const [rows, columns] = [7, 96];
  const names = ["Q4_0", "Q4_1", "Q8_0", "F16"];
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
    const span = name === "Q4_1" ? 64 : 32;
    const count = offsetCount(bases[i].layout, rows, columns, span);
    const offsets = normals(i + 10, count).map((value) => value * 0.1);
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
      assertEquals(
        inTensor >= 0 && inTensor < tensor.byteLength && inTensor % blockBytes < 2,
        true,
      );
    }
    assertEquals(different >= changed && changed > 0, true);
    assertThrows(() => foldPatch(tensor, new Float32Array(1), "relative", span), TypeError, name);
  }
});
