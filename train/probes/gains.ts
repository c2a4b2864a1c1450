/**
 * How steep the loss is along each trained tensor, and how large z is to be in it for that.
 *
 * @module
 */

import { OffsetSet, type Trainable } from "../../kernels/mod.ts";
import {
  findFacts,
  oneSided,
  type Optimiser,
  optimiser,
  preparationsOf,
  scaleBySchedule,
  type SlopeLooks,
} from "../../optim/mod.ts";
import { assertBatchFits } from "../../models/batch_fits.ts";
import type { PackedBatch } from "../../models/batch.ts";
import type { Model } from "../../models/inference/model.ts";
import { squaredGradients } from "./gradients.ts";
import { squaredSlopes } from "./slopes.ts";

/** Directions looked along at a time, beside one look without any: few enough to tell how far it is. */
const DIRECTIONS = 64;

/** Forwards that {@linkcode measureGains} takes, of exact gradients each with a backward. */
export function gainForwards({ plan: { gains } }: Optimiser, tensors: number): number {
  if (!gains) return 0;
  if (gains.gradients !== undefined) return gains.gradients;
  const perPass = Math.floor(DIRECTIONS / gains.queries);
  return tensors * gains.queries + Math.ceil(tensors / perPass);
}

/** How to measure. */
export interface MeasureGainsOptions {
  /** Of the directions; default 0. */
  readonly seed?: number | undefined;
  /** Stops between some tensors and the next. */
  readonly signal?: AbortSignal | undefined;
  /** Told after some tensors how many of how many have been looked at. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * The same trainables with their gains: what an optimiser whose directions have gains needs offsets to be made of. Looks along
 * `gains.queries` directions in each tensor alone, one-sided, on one batch of the task, or takes the exact gradient of `gains.gradients` batches
 * ({@linkcode withTeacher}); nothing is changed. Of an optimiser without gains the trainables come back as they are.
 *
 * @param batch Training examples; of a teacher all batches, of which looks along directions take the first
 * @throws {RangeError} When the batch does not fit the model, or a loss is not finite
 *
 * @example Gains of the bundled model
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { loadModel, openModelSource, packBatch } from "@qzo/qzo/models";
 * import { measureGains, selectTrainables } from "@qzo/qzo/train";
 * import { qzoPlus } from "@qzo/qzo/optim";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * const text = { prompt: [], candidates: [[1, 50, 60, 70, 80, 90]], label: 0 };
 * const batch = packBatch([text], "language-modelling", model);
 * const trainables = selectTrainables(model, "relative", { kinds: ["norms", "dense"] });
 * const found = await measureGains(model, qzoPlus({ gainPower: 0.5 }), trainables, batch);
 * assert(found.every(({ gain }) => Number.isInteger(gain)));
 * ```
 */
export async function measureGains(
  model: Model,
  optimiser: Optimiser,
  trainables: readonly Trainable[],
  batch: PackedBatch | readonly PackedBatch[],
  options: MeasureGainsOptions = {},
): Promise<Trainable[]> {
  const batches = Array.isArray(batch) ? batch : [batch as PackedBatch];
  const gains = preparationsOf(optimiser.plan).filter(({ looks }) => looks === "slopes");
  return await findFacts(gains, trainables, {
    bases: () => Promise.reject(new TypeError("Cannot measure gains by bases")),
    slopes: (looks, all) => slopesOf(model, optimiser, looks, all, batches, options),
  });
}

/**
 * The mean square of derivatives along directions in each trainable alone, one-sided, on the first batch; or the squared norm of its part of the
 * gradient, exact, of the mean loss of as many batches as are looked at; nothing is changed.
 *
 * @throws {RangeError} When the batch does not fit the model, or a loss is not finite
 */
export async function slopesOf(
  model: Model,
  { distribution, form }: Pick<Optimiser, "distribution" | "form">,
  { queries, epsilon, gradients }: SlopeLooks,
  trainables: readonly Trainable[],
  batches: readonly PackedBatch[],
  { seed = 0, signal, onProgress }: MeasureGainsOptions = {},
): Promise<number[]> {
  for (const batch of batches) assertBatchFits(batch, model);
  if (gradients !== undefined) {
    if (batches.length < gradients) {
      throw new RangeError(
        `Cannot find gains by ${gradients} exact gradients: ${batches.length} batches are given`,
      );
    }
    const taught = batches.slice(0, gradients);
    return await squaredGradients(model, trainables, taught, { signal, onProgress });
  }
  const [batch] = batches;
  const perPass = Math.floor(DIRECTIONS / queries);
  const squares: number[] = [];
  for (let first = 0; first < trainables.length; first += perPass) {
    signal?.throwIfAborted();
    const some = trainables.slice(first, first + perPass);
    const probe = optimiser({
      name: "gains",
      estimator: oneSided({ epsilon, queries: queries * some.length }),
      transformations: [scaleBySchedule(0)],
      distribution,
      blocks: { by: "tensor", count: some.length, order: "all" },
      form,
    });
    using offsets = new OffsetSet(some, model.gpu.maxBinding).allocate(model.gpu);
    const what = "how steep the loss is along tensors";
    squares.push(...await squaredSlopes(model, probe, offsets, [batch], { what, seed, signal }));
    onProgress?.(squares.length, trainables.length);
  }
  return squares;
}
