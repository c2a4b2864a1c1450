/**
 * How steep the loss is along each trained tensor, from its exact gradient.
 *
 * @module
 */

import {
  compileGraph,
  Graph,
  OffsetSet,
  SHADER_LIBRARY,
  Storage,
  type Trainable,
} from "../../kernels/mod.ts";
import { submitPlanInTurns } from "../../kernels/device/submit_plan.ts";
import type { PackedBatch } from "../../models/batch.ts";
import { recordGradient } from "../../models/gradient.ts";
import type { Model } from "../../models/inference/model.ts";

/**
 * The squared norm, by trainable, of the gradient of the mean loss of some batches, at the base; nothing is changed, and all memory is free again. One
 * block at a time is computed again, so that it takes the least that a gradient can.
 *
 * @throws {RangeError} When a gradient is not finite
 * @throws {TypeError} For what has no adjoint
 */
export async function squaredGradients(
  model: Model,
  trainables: readonly Trainable[],
  batches: readonly PackedBatch[],
  { signal, onProgress }: {
    /** Stops between two batches. */
    readonly signal?: AbortSignal | undefined;
    /** Told after each batch how many of how many are done. */
    readonly onProgress?: ((done: number, total: number) => void) | undefined;
  } = {},
): Promise<number[]> {
  const { gpu } = model;
  using offsets = new OffsetSet(trainables, gpu.maxBinding).allocate(gpu);
  const gradients = offsets.gradients.allocate(gpu);
  for (const [index, batch] of batches.entries()) {
    signal?.throwIfAborted();
    const { shape, words } = batch;
    using stack = new DisposableStack();
    const stored = (label: string, bytes: number) =>
      stack.use(new Storage(label, bytes, "activations").allocate(gpu));
    const input = stored("batch", words.byteLength);
    const losses = stored("losses", 16);
    const scores = stored("scores", shape.candidates * 4);
    gpu.write(input.buffer, words);
    const graph = new Graph();
    // What is found of the others is added.
    if (index === 0) gradients.clear(graph);
    recordGradient(graph, model, shape, input, { losses, scores }, offsets, gradients);
    const plan = stack.use(compileGraph(gpu, graph, SHADER_LIBRARY));
    await submitPlanInTurns(gpu, plan, { signal });
    await gpu.read([{ buffer: losses.buffer }]);
    gpu.pipelines.check();
    onProgress?.(index + 1, batches.length);
  }
  const found = await gradients.read(gpu);
  const squares = trainables.map(({ name }) =>
    found.get(name)!.reduce((sum, slope) => sum + (slope / batches.length) ** 2, 0)
  );
  if (squares.every(Number.isFinite)) return squares;
  throw new RangeError(
    "Cannot find how steep the loss is along tensors: its gradient is not finite",
  );
}
