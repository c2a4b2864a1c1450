/**
 * A few steps of training, for tests of what becomes of trained values.
 *
 * @module
 */
import type { Gpu, OffsetSet } from "../../kernels/mod.ts";
import { type Example, type Model, packBatch } from "../../models/mod.ts";
import { qzoNormalised } from "../../optim/mod.ts";
import { trainedTensors } from "../../train/mod.ts";
import { planOffsets } from "../../train/selection.ts";
import { Trainer } from "../../train/steps/trainer.ts";

/** Four large steps on one example. What was trained, and the offsets, whose owner the caller is. */
export async function trainBriefly(
  gpu: Gpu,
  model: Model,
  example: Example,
): Promise<{ offsets: OffsetSet; trained: ReturnType<typeof trainedTensors> }> {
  const optimiser = qzoNormalised({ learningRate: 0.05 });
  const offsets = planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
  using trainer = new Trainer(model, optimiser, offsets, { seed: 3 });
  const batch = packBatch([example], "classification", 64);
  for (let step = 0; step < 4; step++) trainer.enqueue(step, batch);
  await trainer.drain();
  return { offsets, trained: trainedTensors(offsets.trainables, await offsets.read(gpu)) };
}
