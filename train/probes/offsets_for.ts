/**
 * The offsets that an optimiser needs: those of a selection, with what it wants to know of each tensor before the first step.
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

/** What to train, and what to look at for it. */
export interface OffsetsForOptions {
  /** What is trained; the scales of all layers by default. */
  readonly selection?: Selection;
  /** Training examples, for optimisers with gains: the first batch, or the first few, show along which tensors the loss is steep, where the optimiser wants to know. */
  readonly train?: readonly Example[];
  /** What the examples' losses are. */
  readonly objective?: Objective;
  /** Examples of a batch; 16 by default. */
  readonly batchSize?: number;
  /** The run's seed; 0 by default. */
  readonly seed?: number;
  /** Stops between looking at some tensors and the next. */
  readonly signal?: AbortSignal | undefined;
  /** Told how many of how many tensors have been looked at. */
  readonly onGains?: ((done: number, total: number) => void) | undefined;
}

/**
 * Offsets, all zero, for an optimiser to train: of a mask with a global budget with a share for each tensor, of directions
 * with gains with a gain for each, which takes {@linkcode gainForwards} forwards on the first batch, or the exact gradient of the first batches. For all others what `planOffsets` gives.
 *
 * @throws {RangeError} When nothing is selected, a batch does not fit the model, or a loss is not finite
 * @throws The signal's reason when it aborts
 *
 * @example Trained by qzoPlus with gains
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
