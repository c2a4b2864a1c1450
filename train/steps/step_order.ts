/**
 * Determines which training examples each step takes.
 *
 * @module
 */

import { type Example, exampleCost } from "../../models/batch.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import { type BatchOrder, batchOrder, type LeftOver } from "../../tasks/order.ts";

/** What determines an order besides the examples. */
export interface StepOrderOptions {
  /** Examples per step. Default 16. */
  readonly batchSize?: number;
  /** Seed of the order. Default 0. */
  readonly seed?: number;
  /** Which examples are in the smaller batch of an epoch. Default `"random"`. */
  readonly leftOver?: LeftOver | undefined;
}

/** Which examples a step takes. */
export interface StepOrder extends BatchOrder {
  /** Returns the examples of the exact gradient's batch. Undefined if a step takes only one batch. */
  readonly second?: (step: number) => readonly number[];
}

/** The order of training batches. It depends only on seed and step, so a resumed run sees the same batches as an uninterrupted one. */
export function trainingOrder(
  train: readonly Example[],
  { batchSize = 16, seed = 0, leftOver }: StepOrderOptions,
): BatchOrder {
  return batchOrder({
    count: train.length,
    batchSize: Math.min(batchSize, train.length),
    seed,
    lengths: train.map((e) => exampleCost(e).rows),
    leftOver,
  });
}

/**
 * The order of training batches for an optimiser. A step takes one batch or, if the estimator has `batches`, one for the estimate along noise and
 * another for the exact gradient. The order depends only on seed and step.
 *
 * @throws {RangeError} when no example is long enough for the estimate along noise, or none is short enough for the exact gradient.
 */
export function stepOrder(
  train: readonly Example[],
  { name, estimator: { batches } }: Pick<Optimiser, "name" | "estimator">,
  options: StepOrderOptions,
): StepOrder {
  if (!batches) return trainingOrder(train, options);
  const { longerThan = 0, noiseBatchSize = options.batchSize } = batches;
  const rows = train.map((one) => exampleCost(one).rows);
  const all = [...train.keys()];
  const long = all.filter((i) => rows[i] > longerThan);
  const short = longerThan === 0 ? all : all.filter((i) => rows[i] <= longerThan);
  if (long.length === 0 || short.length === 0) {
    throw new RangeError(
      `Cannot train with ${name}: of ${train.length} training examples ${
        long.length === 0 ? "none is" : "all are"
      } longer than ${longerThan} tokens, the shortest has ${
        rows.reduce((least, it) => Math.min(least, it), Infinity)
      } and the longest ${
        rows.reduce((most, it) => Math.max(most, it), 0)
      }; set longerThan between`,
    );
  }
  const { seed = 0, leftOver } = options;
  const among = (indices: readonly number[], batchSize = 16, own: number) => {
    const order = trainingOrder(indices.map((i) => train[i]), { batchSize, seed: own, leftOver });
    return {
      stepsPerEpoch: order.stepsPerEpoch,
      batch: (step: number) => order.batch(step).map((i) => indices[i]),
    };
  };
  const noise = among(long, noiseBatchSize, seed);
  // Another seed, so that the two batches differ even if both are drawn from all examples.
  const second = among(short, options.batchSize, seed + 1);
  return {
    stepsPerEpoch: Math.max(noise.stepsPerEpoch, second.stepsPerEpoch),
    batch: noise.batch,
    second: second.batch,
  };
}
