/**
 * Logits of a model on a device, without the evaluator.
 *
 * @module
 */
import { batchLayout, compileGraph, type Gpu, SHADER_LIBRARY, Storage } from "../../kernels/mod.ts";
import { architectureOf } from "../../models/architectures.ts";
import type { Model, PackedBatch } from "../../models/mod.ts";
import { recordLogits } from "../../models/forward.ts";

/** Logits at every position of one sequence; of an encoder, which sees all of it. */
export async function logitsOf(
  gpu: Gpu,
  model: Model,
  tokens: readonly number[],
): Promise<Float32Array> {
  const shape = { rows: tokens.length, lossRows: tokens.length, candidates: 1, examples: 1 };
  const at = batchLayout(shape);
  const words = new Uint32Array(at.words);
  const seesAll = architectureOf(model.config).sees === "all";
  tokens.forEach((token, i) => {
    words[at.tokens + i] = token;
    // The keys of a prefix that is the whole sequence, and none of its own.
    words[at.prefixEnd + i] = seesAll ? tokens.length : 0;
    words[at.ownStart + i] = seesAll ? i + 1 : 0;
    words[at.positions + i] = words[at.slots + i] = words[at.lossRows + i] = i;
  });
  return await batchLogits(gpu, model, { shape, words });
}

/** Logits at the loss rows of a batch, `[lossRows][vocabulary]`; there are as many as its shape has. */
export async function batchLogits(
  gpu: Gpu,
  model: Model,
  { shape, words }: Pick<PackedBatch, "shape" | "words">,
): Promise<Float32Array> {
  using input = new Storage("batch", words.byteLength, "activations").allocate(gpu);
  gpu.device.queue.writeBuffer(input.buffer.buffer, 0, words);
  const { graph, logits } = recordLogits(model, shape, input);
  using plan = compileGraph(gpu, graph, SHADER_LIBRARY, [logits]);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  plan.encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  return await gpu.readFloats(plan.buffer(logits), logits.words);
}
