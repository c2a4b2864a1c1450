/**
 * Converts passes over the training examples to steps.
 *
 * @module
 */
import type { TrainConfig } from "../config/schema.ts";
import type { TaskExamples } from "./task_examples.ts";

/** Number of steps in one pass over the training examples, including a smaller last batch. */
export function stepsPerEpoch(
  { batchSize }: Pick<TrainConfig, "batchSize">,
  { train: { examples } }: Pick<TaskExamples, "train">,
): number {
  return Math.ceil(examples.length / Math.max(1, Math.min(batchSize, examples.length)));
}

/** The configuration with its `epochs`, if given, converted to `steps`, the unit of schedules and ledgers. */
export function withSteps(
  { epochs, ...config }: TrainConfig,
  examples: Pick<TaskExamples, "train">,
): TrainConfig {
  if (epochs === undefined) return config;
  return { ...config, steps: Math.max(1, Math.round(epochs * stepsPerEpoch(config, examples))) };
}
