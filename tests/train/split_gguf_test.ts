import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { fingerprint, openModelSource, quantizedSource, writeModel } from "../../models/mod.ts";
import { ggufModelSource } from "../../models/checkpoints/gguf/open_gguf.ts";
import { bytesSource, readGguf, writeGguf } from "../../quant/mod.ts";
import { copiedMetadata } from "../../quant/files/gguf_split.ts";
import { exportTuned } from "../../train/mod.ts";
import { randomOffsets, withTemp } from "../models/quantised_folder.ts";
import { ggufInMemory, smallShape } from "../models/small_model.ts";
import { collect } from "../quant/collect.ts";
import { llamaCppLogitsOf, llamaCppMissing } from "../support/llama_cpp.ts";
import { randomLlama } from "../support/random_llama.ts";

const missing = await llamaCppMissing();
const partName = (number: number, count: number) => `m-0000${number}-of-0000${count}.gguf`;

/** A file cut in three as gguf-split does; `fields` replaces split metadata by part. */
async function split(
  folder: string,
  bytes: Uint8Array<ArrayBuffer>,
  fields: readonly Record<string, number>[] = [],
): Promise<string[]> {
  const file = await readGguf(bytesSource(bytes));
  const cuts = [0, 5, 6, file.tensors.length];
  const paths: string[] = [];
  for (let i = 0; i < 3; i++) {
    const given = {
      "split.no": i,
      "split.count": 3,
      "split.tensors.count": file.tensors.length,
      ...fields[i],
    };
    const own = Object.entries(given).map(([key, value]) =>
      [key, { type: key.endsWith("tensors.count") ? "int32" : "uint16", value }] as const
    );
    const tensors = file.tensors.slice(cuts[i], cuts[i + 1]).map((tensor) => ({
      ...tensor,
      bytes: bytes.subarray(tensor.offset, tensor.offset + tensor.byteLength),
    }));
    const metadata = new Map([...i === 0 ? copiedMetadata(file) : [], ...own]);
    const path = join(folder, partName(i + 1, 3));
    await Deno.writeFile(path, await collect(writeGguf({ metadata, tensors })));
    paths.push(path);
  }
  return paths;
}

/** A small Q4_0 model as one file. */
async function oneFile(folder: string): Promise<string> {
  const path = join(folder, "one.gguf");
  using dense = await ggufInMemory(smallShape, randomLlama(smallShape));
  await writeModel(quantizedSource(dense, { format: "Q4_0" }), path);
  return path;
}

Deno.test("a split model opens by any of its files, and is the model in one file", async () => {
  await withTemp(async (folder) => {
    const one = await oneFile(folder);
    const paths = await split(folder, await Deno.readFile(one));
    using source = await openModelSource(one);
    for (const path of paths) {
      using parts = await openModelSource(path);
      assertEquals(await fingerprint(parts), await fingerprint(source));
    }
  });
});

Deno.test("a split model goes back as its files, or as one", async () => {
  await withTemp(async (folder) => {
    const one = await oneFile(folder);
    const paths = await split(folder, await Deno.readFile(one));
    using source = await openModelSource(one);
    using parts = await openModelSource(paths[0]);
    const same = paths.map((_, i) => join(folder, `same-0000${i + 1}-of-00003.gguf`));
    await exportTuned(parts, new Map(), same[1]);
    for (const [i, path] of paths.entries()) {
      assertEquals(await Deno.readFile(same[i]), await Deno.readFile(path));
    }
    const trained = randomOffsets(source);
    const expected = join(folder, "expected.gguf");
    const merged = join(folder, "merged.gguf");
    const counts = await exportTuned(source, trained, expected);
    assertEquals(await exportTuned(parts, trained, merged), counts);
    assertEquals(await Deno.readFile(merged), await Deno.readFile(expected));
    await exportTuned(parts, trained, same[0]);
    using again = await openModelSource(same[2]);
    using tuned = await openModelSource(expected);
    assertEquals(await fingerprint(again), await fingerprint(tuned));
    assert(await fingerprint(tuned) !== await fingerprint(source));
    await assertRejects(
      () => exportTuned(parts, trained, join(folder, "x-00001-of-00002.gguf")),
      RangeError,
      "one of 2 files, but the model has 3",
    );
  });
});

Deno.test({
  name: "llama.cpp reads a tuned split model as the same model in one file" +
    (missing ? ` (skipped: ${missing})` : ""),
  ignore: missing !== undefined,
  fn: async () => {
    await withTemp(async (folder) => {
      const one = await oneFile(folder);
      const [first] = await split(folder, await Deno.readFile(one));
      using parts = await openModelSource(first);
      const trained = randomOffsets(parts);
      await exportTuned(parts, trained, join(folder, "tuned.gguf"));
      const tuned = join(folder, "tuned-00001-of-00003.gguf");
      await exportTuned(parts, trained, tuned);
      const lists = [[3, 44, 85, 126, 167]];
      assertEquals(
        await llamaCppLogitsOf(tuned, lists),
        await llamaCppLogitsOf(join(folder, "tuned.gguf"), lists),
      );
    });
  },
});

Deno.test("parts that do not belong together are refused by field", async () => {
  await withTemp(async (folder) => {
    const bytes = await Deno.readFile(await oneFile(folder));
    const refused = async (fields: Record<string, number>[], message: string) => {
      const paths = await split(folder, bytes, fields);
      await assertRejects(() => openModelSource(paths[2]), RangeError, message);
    };
    await refused([{}, { "split.no": 2 }], "split.no is 2, expected 1");
    await refused([{ "split.count": 4 }], "split.count is 4, expected 3");
    await refused([{}, {}, { "split.tensors.count": 7 }], "split.tensors.count is 7, expected");
    const paths = await split(folder, bytes);
    await Deno.copyFile(paths[0], paths[1]);
    await assertRejects(() => openModelSource(paths[0]), RangeError, "split.tensors.count is");
    await Deno.remove(paths[1]);
    await assertRejects(() => openModelSource(paths[0]), Deno.errors.NotFound);
    const none = join(folder, "m-00004-of-00003.gguf");
    await Deno.writeFile(none, bytes);
    await assertRejects(() => openModelSource(none), RangeError, "no part 4 of 3");
    const [first] = await split(folder, bytes);
    const alone = bytesSource(await Deno.readFile(first), "alone");
    await assertRejects(() => ggufModelSource(alone), RangeError, "under names like");
  });
});

Deno.test("a tuned model is written over no part of its base, by whichever name, in the library too", async () => {
  await withTemp(async (folder) => {
    const one = await oneFile(folder);
    const paths = await split(folder, await Deno.readFile(one));
    const before = await Promise.all(paths.map((path) => Deno.readFile(path)));
    const link = join(folder, "link.gguf");
    await Deno.symlink(paths[1], link);
    using source = await openModelSource(paths[0]);
    for (const path of [...paths, link]) {
      const error = "it is an input of this command";
      await assertRejects(() => exportTuned(source, new Map(), path), RangeError, error);
    }
    assertEquals(await Promise.all(paths.map((path) => Deno.readFile(path))), before);
  });
});

Deno.test("a model that becomes one file gets no name of one of several", async () => {
  await withTemp(async (folder) => {
    using source = await openModelSource(await oneFile(folder));
    const path = join(folder, "q-00001-of-00002.gguf");
    const words = "the name is that of one of 2 parts";
    await assertRejects(() => exportTuned(source, new Map(), path), RangeError, words);
    const quantized = quantizedSource(source, { format: "Q4_0" });
    await assertRejects(() => writeModel(quantized, path), RangeError, words);
    await writeModel(quantized, join(folder, "q-00001-of-00001.gguf"));
    (await openModelSource(join(folder, "q-00001-of-00001.gguf")))[Symbol.dispose]?.();
  });
});
