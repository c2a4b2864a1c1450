/**
 * Measures how sensitive the loss is to each trained tensor, by its exact gradient.
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
 * For each trainable, the squared norm of the gradient of the mean loss of some batches, at the base model. Nothing is changed, and all memory
 * is freed again. One block at a time is recomputed, so the gradient takes the least possible memory.
 *
 * @throws {RangeError} when a gradient is not finite.
 * @throws {TypeError} for an operation without an adjoint.
 */
export async function squaredGradients(
  model: Model,
  trainables: readonly Trainable[],
  batches: readonly PackedBatch[],
  { signal, onProgress }: {
    /** Aborts between two batches. */
    readonly signal?: AbortSignal | undefined;
    /** Called after each batch with the number of batches done and their total. */
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
    // The gradients of later batches are added.
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
