/**
 * Loads, uses and disposes of a model again and again, and prints the process's memory in MiB after each tenth: arguments are how often
 * and the formats' name.
 *
 * @module
 */
import { openGpu } from "../../kernels/mod.ts";
import { generate, loadModel, type Objective, quantizedSource } from "../../models/mod.ts";
import { ggufModelSource } from "../../models/checkpoints/gguf/open_gguf.ts";
import { modelAsGguf } from "../../models/checkpoints/gguf/write_gguf.ts";
import { qzoNormalised } from "../../optim/mod.ts";
import { bytesSource } from "../../quant/mod.ts";
import { evaluate, finetune } from "../../train/mod.ts";
import { collect } from "../quant/collect.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { ggufOf } from "../models/small_model.ts";
import { randomLlama } from "../support/random_llama.ts";
import { tinyExamples, tinyOffsets } from "../train/tiny_model.ts";

const times = Number(Deno.args[0]);
// About 1.5 MB in Q4_0, so that what is kept shows.
const shape: LlamaShape = {
  ...{ hidden: 256, layers: 2, feedForward: 512, heads: 4, kvHeads: 4, vocabulary: 320 },
  ...{ epsilon: 1e-5, ropeBase: 10000, rope: "norm" },
};
const dense = await ggufModelSource(
  bytesSource(ggufOf(shape, randomLlama(shape, { tied: true })), "dense.gguf"),
);
const bytes = await collect(modelAsGguf(quantizedSource(dense, { format: "Q4_0" })));
const objective: Objective = "classification";
const examples = tinyExamples(4);
using gpu = await openGpu();
for (let i = 0; i < times; i++) {
  using source = await ggufModelSource(bytesSource(bytes, "leaks.gguf"));
  using model = await loadModel(gpu, source);
  if (i % 10 === 0) {
    const optimiser = qzoNormalised();
    using offsets = tinyOffsets(model, optimiser);
    await evaluate(model, examples, { objective, offsets });
    const options = { model, optimiser, offsets, objective, train: examples, steps: 2 };
    for await (const _ of finetune(options));
    for await (const _ of generate(model, [1, 2], { maxTokens: 2, offsets }));
  }
  if (i % Math.ceil(times / 10) === 0 || i === times - 1) {
    (globalThis as { gc?: () => void }).gc?.();
    console.log((Deno.memoryUsage().rss / 2 ** 20).toFixed(1));
  }
}
console.log(JSON.stringify(gpu.memory.current));
