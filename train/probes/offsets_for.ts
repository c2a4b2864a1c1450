/**
 * Creates the offsets that an optimiser needs: those of a selection, with the facts about each tensor that the optimiser requires before the
 * first step.
 *
 * @module
 */
import { assertOptions, count, countOrNone } from "../../optim/options.ts";
import { basesOf, OffsetSet } from "../../kernels/mod.ts";
import { type Example, type Objective, packBatch } from "../../models/batch.ts";
import { slopesOf } from "./gains.ts";
import { assertNotDisposed, type Model } from "../../models/inference/model.ts";
import { planOffsets, type Selection } from "../selection.ts";
import { findFacts, type Optimiser, preparationsOf } from "../../optim/mod.ts";
import { trainingOrder } from "../steps/step_order.ts";

/** What to train, and the data for measuring gains. */
export interface OffsetsForOptions {
  /** What to train. Default: the scales of all layers. */
  readonly selection?: Selection;
  /**
   * Training examples, for optimisers with gains. The sensitivity of the loss to each tensor is measured on the first batch, or on the first few
   * with a teacher ({@linkcode withTeacher}), if the optimiser requires it.
   */
  readonly train?: readonly Example[];
  /** The objective of the examples. */
  readonly objective?: Objective;
  /** Examples per batch. Default 16. */
  readonly batchSize?: number;
  /** Seed of the run. Default 0. */
  readonly seed?: number;
  /** Aborts between groups of tensors. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of tensors measured and their total. */
  readonly onGains?: ((done: number, total: number) => void) | undefined;
}

/**
 * Creates zero offsets for an optimiser to train. For a mask with a global budget, each tensor gets its share. For directions with gains, each
 * tensor gets its gain, which takes {@linkcode gainForwards} forward passes on the first batch, or the exact gradients of the first batches. For
 * all other optimisers, the result is that of `planOffsets`.
 *
 * @throws {RangeError} when nothing is selected, a batch does not fit the model, or a loss is not finite.
 * @throws The signal's reason when it aborts.
 *
 * @example Offsets for qzoPlus with gains
 * ```ts
 * import { finetune, loadModel, offsetsFor, openGpu, openModelSource, quantizedSource, qzoPlus } from "@qzo/qzo";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * using model = await loadModel(gpu, source);
 * const train = [{ prompt: [], candidates: [[1, 50, 60, 70, 80, 90]], label: 0 }];
 * const [optimiser, objective] = [qzoPlus({ gainPower: 0.5 }), "language-modelling"] as const;
 * using offsets = await offsetsFor(model, optimiser, { train, objective });
 * for await (const event of finetune({ model, optimiser, offsets, objective, train, steps: 2 })) {
 *   if (event.type === "step") assert(event.loss > 0);
 * }
 * ```
 */
export async function offsetsFor(
  model: Model,
  optimiser: Optimiser,
  options: OffsetsForOptions = {},
): Promise<OffsetSet> {
  assertOptions("make offsets", options, {
    selection: "any",
    train: "any",
    objective: "any",
    batchSize: count,
    seed: countOrNone,
    signal: "any",
    onGains: "any",
  });
  assertNotDisposed(model, "make offsets");
  const { gpu } = model;
  const { selection, train, objective, seed, signal, onGains } = options;
  const planned = planOffsets(model, optimiser, gpu.maxBinding, selection);
  const found = await findFacts(preparationsOf(optimiser.plan), planned.trainables, {
    bases: (one) => basesOf(gpu, model.tensors, one),
    slopes(looks, trainables) {
      if (!train?.length) throw new RangeError("Cannot find gains: there are no examples");
      if (!objective) throw new TypeError("Cannot find gains: the examples' objective is missing");
      const order = trainingOrder(train, options);
      const batches = Array.from(
        { length: looks.gradients ?? 1 },
        (_, step) => packBatch(order.batch(step).map((i) => train[i]), objective, model),
      );
      const how = { seed, signal, onProgress: onGains };
      return slopesOf(model, optimiser, looks, trainables, batches, how);
    },
  });
  return new OffsetSet(found, gpu.maxBinding).allocate(gpu);
}
