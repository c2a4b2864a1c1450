import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import {
  loadModel,
  type ModelSource,
  openModelSource,
  quantizedSource,
  writeModel,
} from "../../models/mod.ts";
import { ggufModelSource } from "../../models/checkpoints/gguf/open_gguf.ts";
import { bytesSource, decode, formatByName } from "../../quant/mod.ts";
import { exportTuned } from "../../train/mod.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { relativeL2 } from "../reference/nmse.ts";
import { openSharedGpu } from "../kernels/one_device.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../support/gguf_writer.ts";
import { llamaCppLogits, llamaCppMissing } from "../support/llama_cpp.ts";
import { randomLlama } from "../support/random_llama.ts";
import { sampled } from "../support/sampled.ts";
import { trainBriefly } from "./train_briefly.ts";

// Formats with blocks of 256 from a file through training to a file of the same format that llama.cpp reads.

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const missing = await llamaCppMissing();

const shape: LlamaShape = {
  hidden: 256,
  layers: 1,
  feedForward: 256,
  heads: 8,
  kvHeads: 4,
  vocabulary: 260,
  epsilon: 1e-5,
  ropeBase: 10000,
  rope: "norm",
};

/** Weights of every tensor, one after the other. */
async function weightsOf(source: ModelSource): Promise<Float32Array> {
  const parts: number[] = [];
  for (const { read, rows } of source.tensors.values()) parts.push(...decode(await read(0, rows)));
  return Float32Array.from(parts);
}

for (const format of sampled("super-blocks", ["Q3_K", "Q4_K", "IQ1_S", "IQ2_XXS", "IQ3_S"], 0.4)) {
  Deno.test(`a model in ${format} trains, and only its scale bytes change`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const original = ggufModelSource(
        bytesSource(
          ggufBytes(llamaMetadata(shape), llamaF32Tensors(shape, randomLlama(shape))),
          "random.gguf",
        ),
      );
      using dense = await original;
      await writeModel(
        quantizedSource(dense, { format, embedding: "Q6_K" }),
        `${folder}/base.gguf`,
      );
      using base = await openModelSource(`${folder}/base.gguf`);
      using model = await loadModel(gpu, base);
      const made = await trainBriefly(gpu, model, {
        prompt: [1, 84, 201, 190],
        candidates: [[17], [150]],
        label: 1,
      });
      using offsets = made.offsets;
      const { trained } = made;
      assertEquals(offsets.trainables.every(({ span }) => span === 256), true);
      const counts = await exportTuned(base, trained, `${folder}/tuned.gguf`);
      assertGreater(counts.changed, 0.9 * offsets.scalars);

      const before = await Deno.readFile(`${folder}/base.gguf`);
      const after = await Deno.readFile(`${folder}/tuned.gguf`);
      assertEquals(before.length, after.length);
      const stored = formatByName(format);
      let different = 0;
      const own = new Uint8Array(before.length);
      for (const tensor of base.gguf!.file.tensors) {
        if (!trained.has(tensor.name)) continue;
        const [columns, rows] = tensor.dimensions;
        const [old, tuned] = [before, after].map((bytes) =>
          stored.unpack(
            bytes.subarray(tensor.offset, tensor.offset + tensor.byteLength),
            rows,
            columns,
          )
        );
        assertEquals(tuned.codes, old.codes);
        different += tuned.scales.filter((word, i) => word !== old.scales[i]).length;
        own.fill(1, tensor.offset, tensor.offset + tensor.byteLength);
      }
      assertGreater(different, 0);
      assert(before.every((byte, i) => own[i] === 1 || byte === after[i]), "only scales change");

      using tuned = await ggufModelSource(bytesSource(after, "tuned.gguf"));
      const moved = relativeL2(await weightsOf(tuned), await weightsOf(base));
      assertGreater(moved, 0.001);
      if (missing) return console.log(`skipped, because ${missing}: the comparison with llama.cpp`);
      const tokens = [1, 84, 201, 190, 17];
      const [one, other] = [
        await llamaCppLogits(`${folder}/tuned.gguf`, tokens),
        await llamaCppLogits(`${folder}/base.gguf`, tokens),
      ].map((rows) => rows.flatMap((row) => [...row]));
      assert(one.every(Number.isFinite));
      const difference = relativeL2(one, other);
      assertGreater(difference, 0.001);
      assertLess(difference, 0.5);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
