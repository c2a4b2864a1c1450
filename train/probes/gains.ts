/**
 * Measures how sensitive the loss is to each trained tensor, and scales the noise in each tensor accordingly.
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

/** Directions evaluated together, in addition to one evaluation without noise. Few enough to report progress. */
const DIRECTIONS = 64;

/** Number of forward passes that {@linkcode measureGains} takes. For exact gradients, each is followed by a backward pass. */
export function gainForwards({ plan: { gains } }: Optimiser, tensors: number): number {
  if (!gains) return 0;
  if (gains.gradients !== undefined) return gains.gradients;
  const perPass = Math.floor(DIRECTIONS / gains.queries);
  return tensors * gains.queries + Math.ceil(tensors / perPass);
}

/** Options of the measurement. */
export interface MeasureGainsOptions {
  /** Seed of the directions. Default 0. */
  readonly seed?: number | undefined;
  /** Aborts between groups of tensors. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each group of tensors with the number of tensors done and their total. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * The same trainables with their gains, from which offsets must be created for an optimiser whose directions have gains. Evaluates
 * `gains.queries` one-sided directions in each tensor separately, on one batch of the task, or computes the exact gradient of `gains.gradients`
 * batches ({@linkcode withTeacher}). Nothing is changed. For an optimiser without gains, the trainables are returned unchanged.
 *
 * @param batch Training examples: one batch, or all batches of a teacher. Directions are evaluated on the first.
 * @throws {RangeError} when a batch does not fit the model, or a loss is not finite.
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
 * For each trainable, the mean square of one-sided derivatives along directions in that trainable alone, on the first batch; or the squared norm
 * of its part of the exact gradient of the mean loss of several batches. Nothing is changed.
 *
 * @throws {RangeError} when the batch does not fit the model, or a loss is not finite.
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
    const what = "how sensitive the loss is to each tensor";
    squares.push(...await squaredSlopes(model, probe, offsets, [batch], { what, seed, signal }));
    onProgress?.(squares.length, trainables.length);
  }
  return squares;
}
