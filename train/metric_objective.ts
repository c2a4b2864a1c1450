/**
 * Makes an objective from a task's metric: accuracy, or the F1 of generated text, neither of which has a gradient.
 *
 * @module
 */
import { integerWithin } from "../optim/check.ts";
import { assertOptions, count, countOrNone } from "../optim/options.ts";
import type { Model } from "../models/inference/model.ts";
import { type MetricName, taskMetric } from "../tasks/metrics/task_metrics.ts";
import { batchOrder } from "../tasks/order.ts";
import { evaluate } from "./evaluate.ts";
import {
  type JudgedExamples,
  type JudgedTask,
  metricsOf,
  outcomesOf,
  written,
} from "./evaluate_task.ts";
import type { ObjectivePoint } from "./finetune_by_function.ts";

/** Options of {@linkcode metricObjective}. */
export interface MetricObjectiveOptions {
  /** The task. */
  readonly task: JudgedTask;
  /** The metric. Default: the task's main metric. */
  readonly metric?: MetricName;
  /** Examples per step. Default 16. */
  readonly batchSize?: number;
  /** Seed of the order of examples. Default 0. */
  readonly seed?: number;
  /** The most tokens per generated answer. Default 50. */
  readonly maxTokens?: number;
  /** Aborts between evaluations. */
  readonly signal?: AbortSignal;
}

/**
 * Creates an objective for {@linkcode finetuneByFunction}: 1 minus a metric on a batch of training examples. All branches of a step use the same
 * examples, and the steps of an epoch use all examples. A metric changes in steps of one example, so use batches and perturbations large enough
 * to change some.
 *
 * @throws {RangeError} when there are no examples, or `batchSize` is not a positive integer.
 *
 * @example Accuracy on two reviews
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { loadModel, openModelSource } from "@qzo/qzo/models";
 * import { builtInTask, readTask, tokeniseExample } from "@qzo/qzo/tasks";
 * import { metricObjective, planOffsets } from "@qzo/qzo/train";
 * import { qzoNormalised } from "@qzo/qzo/optim";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * const task = builtInTask("sst2");
 * const examples = readTask(task, "1 a stirring film\n0 a bore\n")
 *   .map((row) => tokeniseExample(model.tokenizer!, row));
 * using offsets = planOffsets(model, qzoNormalised(), gpu.maxBinding, { kinds: ["norms"] }).allocate(gpu);
 * const objective = metricObjective(model, { examples }, { task, batchSize: 2 });
 * assert([0, 0.5, 1].includes(await objective({ offsets, step: 0 })));
 * ```
 */
export function metricObjective(
  model: Model,
  { examples, references }: JudgedExamples,
  options: MetricObjectiveOptions,
): (point: ObjectivePoint) => Promise<number> {
  assertOptions("train by a metric", options, {
    task: "any",
    metric: "any",
    batchSize: count,
    seed: countOrNone,
    maxTokens: count,
    signal: "any",
  });
  const { task, metric = metricsOf(task)[0], batchSize = 16, seed = 0, maxTokens, signal } =
    options;
  if (examples.length === 0) {
    throw new RangeError("Cannot train by a metric: there are no examples");
  }
  integerWithin("training by a metric", "batchSize", batchSize, 1, Number.MAX_SAFE_INTEGER);
  const order = batchOrder({ count: examples.length, batchSize, seed });
  return async ({ offsets, step }) => {
    const indices = order.batch(step);
    const batch = indices.map((index) => examples[index]);
    const judged = { examples: batch, references: references && indices.map((i) => references[i]) };
    const found = task.template.answer === undefined
      ? (await evaluate(model, batch, {
        objective: "classification",
        score: task.score,
        batchSize,
        offsets,
        ...(signal ? { signal } : {}),
      })).predictions
      : await written(model, batch, { task, maxTokens, offsets, signal });
    return 1 - taskMetric(metric, outcomesOf(model, judged, found));
  };
}
