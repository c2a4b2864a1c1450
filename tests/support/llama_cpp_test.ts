import { assert } from "@std/assert";
import { llamaLogits, type LlamaShape, type NamedWeights } from "../reference/llama.ts";
import { relativeL2 } from "../reference/nmse.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "./gguf_writer.ts";
import { readLlama2c } from "./llama2c.ts";
import { llamaCppLogitsOf, llamaCppMissing } from "./llama_cpp.ts";
import { randomLlama } from "./random_llama.ts";
import { exists, sharedData } from "./shared_data.ts";

/** Asserts that llama.cpp and the oracle agree on token lists of the given lengths. */
async function assertAgreement(
  shape: LlamaShape,
  weights: NamedWeights,
  lengths: readonly number[],
): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".gguf" });
  try {
    const tensors = llamaF32Tensors(shape, weights);
    await Deno.writeFile(file, ggufBytes(llamaMetadata(shape), tensors));
    const lists = lengths.map((n) => Array.from({ length: n }, (_, i) => 3 + (i * 41) % 287));
    const found = await llamaCppLogitsOf(file, lists);
    lists.forEach((tokens, i) => {
      const expected = llamaLogits(shape, weights, tokens);
      const error = relativeL2(found[i].flatMap((row) => [...row]), expected);
      assert(error < 1e-5, `relative L2 is ${error}`);
      assert(error > 0, "f32 and f64 cannot agree to the bit: the oracle judged itself");
    });
  } finally {
    await Deno.remove(file);
  }
}

const missing = await llamaCppMissing();

for (const tied of [true, false]) {
  Deno.test({
    name: `the f64 forward agrees with llama.cpp to 1e-5, ${tied ? "tied" : "own"} head` +
      (missing ? ` (skipped: ${missing})` : ""),
    ignore: missing !== undefined,
    fn: async () => {
      const shape: LlamaShape = {
        hidden: 96,
        layers: 2,
        feedForward: 160,
        heads: 6,
        kvHeads: 2,
        vocabulary: 290,
        epsilon: 1e-5,
        ropeBase: 10000,
        rope: "norm",
      };
      const weights = randomLlama(shape, { tied });
      await assertAgreement(shape, weights, [37, 5]);
    },
  });
}

const checkpoint = sharedData("models/stories260k/stories260K.bin");
const absent = missing ?? (exists(checkpoint) ? undefined : "../shared/data is not here");
Deno.test({
  name: "the f64 forward of stories260k agrees with llama.cpp to 1e-5" +
    (absent ? ` (skipped: ${absent})` : ""),
  ignore: absent !== undefined,
  fn: async () => {
    const { shape, weights } = readLlama2c(Deno.readFileSync(checkpoint));
    await assertAgreement(shape, weights, [100]);
  },
});
