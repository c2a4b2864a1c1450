/**
 * Steps from passes over the training examples.
 *
 * @module
 */
import type { TrainConfig } from "../config/schema.ts";
import type { TaskExamples } from "./task_examples.ts";

/** Steps of one pass over the training examples; the last of them takes what is left. */
export function stepsPerEpoch(
  { batchSize }: Pick<TrainConfig, "batchSize">,
  { train: { examples } }: Pick<TaskExamples, "train">,
): number {
  return Math.ceil(examples.length / Math.max(1, Math.min(batchSize, examples.length)));
}

/** The configuration with its `epochs`, where it has them, as `steps`: what schedules and ledgers count in. */
export function withSteps(
  { epochs, ...config }: TrainConfig,
  examples: Pick<TaskExamples, "train">,
): TrainConfig {
  if (epochs === undefined) return config;
  return { ...config, steps: Math.max(1, Math.round(epochs * stepsPerEpoch(config, examples))) };
}
