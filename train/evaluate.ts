/**
 * Evaluates held-out loss and accuracy.
 *
 * @module
 */

import { assertOptions, count } from "../optim/options.ts";
import type { OffsetSet } from "../kernels/mod.ts";
import {
  type Example,
  exampleCost,
  type Objective,
  packBatch,
  type PackedBatch,
} from "../models/batch.ts";
import { Evaluator } from "../models/inference/evaluator.ts";
import { assertNotDisposed, type Model } from "../models/inference/model.ts";
import { integerWithin } from "../optim/check.ts";
import { type Accuracy, accuracy, argmax } from "../tasks/metrics/accuracy.ts";
import {
  type AccuracyDifference,
  type Difference,
  pairedAccuracy,
  pairedMean,
} from "../tasks/paired.ts";

/** Options of an evaluation. */
export interface EvaluateOptions {
  /** Language modelling or classification. */
  readonly objective: Objective;
  /** Examples per batch. Default 16. */
  readonly batchSize?: number;
  /**
   * Whether a candidate is chosen by the mean or the sum of its tokens' log-probabilities. The loss always uses the mean, as in training.
   * Default "mean".
   */
  readonly score?: "mean" | "sum" | undefined;
  /** Offsets of a fine-tune. Undefined for the base model. */
  readonly offsets?: OffsetSet | undefined;
  /** Whether the offsets have changed, for the message about a loss that is not finite. Default: whether there are offsets. */
  readonly tuned?: boolean;
  /** An evaluator to reuse with its compiled plans. `offsets` is then ignored. */
  readonly evaluator?: Evaluator;
  /** Aborts between waits. */
  readonly signal?: AbortSignal;
  /** Called after each wait with the number of examples done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The result of an evaluation. */
export interface Evaluation {
  /** Loss in nats per token (language modelling) or per example (classification). */
  readonly loss: number;
  /** Accuracy. Only for classification. */
  readonly accuracy?: Accuracy;
  /** Index of the most likely candidate, by example. */
  readonly predictions: readonly number[];
  /** Number of examples. */
  readonly examples: number;
  /** Loss of each example in nats (per token for language modelling), and its weight in the total. Needed by {@linkcode compareEvaluations}. */
  readonly byExample?: { readonly losses: readonly number[]; readonly weights: readonly number[] };
}

/** A comparison of two evaluations of the same examples. */
export interface Comparison {
  /** Loss after minus loss before, in nats. Negative if it improved. */
  readonly loss: Difference;
  /** Accuracy after minus accuracy before. Only for classification. */
  readonly accuracy?: AccuracyDifference;
}

/**
 * Compares two evaluations of the same examples, with 95 % confidence intervals of the differences. The intervals are paired, so variation in
 * difficulty between examples does not widen them. Do not use them for a state that was chosen as the best on the same examples.
 *
 * @throws {TypeError} when the evaluations are not of the same examples.
 */
export function compareEvaluations(
  before: Evaluation,
  after: Evaluation,
  examples: readonly Example[],
): Comparison {
  const { byExample: first } = before;
  const { byExample: second } = after;
  if (!first || !second) throw new TypeError("Cannot compare evaluations without their examples");
  return {
    loss: pairedMean(first.losses, second.losses, first.weights),
    ...(after.accuracy
      ? {
        accuracy: pairedAccuracy(
          judgedPredictions(before.predictions, examples),
          judgedPredictions(after.predictions, examples),
          examples.map(({ label }) => label),
        ),
      }
      : {}),
  };
}

/** Predictions for judging: if several candidates are correct, each counts as the first of them. */
function judgedPredictions(
  predictions: readonly number[],
  examples: readonly Example[],
): number[] {
  return predictions.map((prediction, i) => {
    const { label, right } = examples[i];
    return right?.includes(prediction) ? label : prediction;
  });
}

/** Log-probabilities of whole candidates, from the means of their tokens' log-probabilities. */
function summed(scores: Float32Array, { prompt, candidates, leads }: Example): Float32Array {
  const context = prompt.length > 0 ? 0 : 1;
  return scores.map((score, i) =>
    score * (candidates[i].length - Math.max(leads?.[i] ?? 0, context))
  );
}

/** Loss and weight of one example from its candidates' mean log-probabilities, summed as on the device. */
function lossOf(
  example: Example,
  scores: Float32Array,
  objective: Objective,
): { readonly loss: number; readonly weight: number } {
  if (objective === "language-modelling") {
    return { loss: -scores[0], weight: exampleCost(example).lossRows };
  }
  const top = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  const mass = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
  return { loss: Math.log(mass) + top - scores[example.label], weight: 1 };
}

/** Groups examples by length, so that batches have few rows. Results are returned in the original order. */
function inBatches(examples: readonly Example[], batchSize: number): number[][] {
  const length = ({ prompt, candidates, masked }: Example) =>
    prompt.length + (masked ? 0 : Math.max(...candidates.map((c) => c.length)));
  const order = examples.map((_, i) => i).sort((a, b) => length(examples[a]) - length(examples[b]));
  const out: number[][] = [];
  for (let i = 0; i < order.length; i += batchSize) out.push(order.slice(i, i + batchSize));
  return out;
}

/**
 * Evaluates examples in batches, waiting after each half second of work or so.
 *
 * @throws {RangeError} when there are no examples, `batchSize` is not a positive integer, or a loss is not finite.
 *
 * @example One review
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { loadModel, openModelSource } from "@qzo/qzo/models";
 * import { evaluate } from "@qzo/qzo/train";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * const prompt = model.tokenizer!.encode("A fine film. It was");
 * const candidates = [" terrible", " great"].map((word) =>
 *   model.tokenizer!.encode(word, { addSpecial: false })
 * );
 * const examples = [{ prompt, candidates, label: 1 }];
 * const { loss, accuracy } = await evaluate(model, examples, { objective: "classification" });
 * assert(loss > 0 && accuracy!.count === 1);
 * ```
 */
export async function evaluate(
  model: Model,
  examples: readonly Example[],
  options: EvaluateOptions,
): Promise<Evaluation> {
  assertOptions("evaluate", options, {
    objective: "any",
    batchSize: count,
    score: "any",
    offsets: "any",
    tuned: "any",
    evaluator: "any",
    signal: "any",
    onProgress: "any",
  });
  assertNotDisposed(model, "evaluate");
  if (examples.length === 0) throw new RangeError("Cannot evaluate: there are no examples");
  const { objective, batchSize = 16, signal, onProgress } = options;
  integerWithin("an evaluation", "batchSize", batchSize, 1, Number.MAX_SAFE_INTEGER);
  const evaluator = options.evaluator ?? new Evaluator(model, options.offsets);
  try {
    const groups = inBatches(examples, batchSize);
    const predictions = new Array<number>(examples.length);
    const [losses, weights] = [predictions.slice(), predictions.slice()];
    let sum = 0;
    let weight = 0;
    let perWait = 1;
    let done = 0;
    for (let first = 0; first < groups.length;) {
      signal?.throwIfAborted();
      const chunk = groups.slice(first, first + perWait);
      const packed: PackedBatch[] = chunk.map((group) =>
        packBatch(group.map((i) => examples[i]), objective, model)
      );
      const begun = performance.now();
      const results = await evaluator.run(packed, signal);
      const took = (performance.now() - begun) / chunk.length;
      results.forEach((result, j) => {
        const share = objective === "classification" ? packed[j].examples : packed[j].lossRows;
        sum += result.loss * share;
        weight += share;
        let candidate = 0;
        for (const i of chunk[j]) {
          const count = examples[i].candidates.length;
          const scores = result.scores.subarray(candidate, candidate += count);
          const judged = options.score === "sum" ? summed(scores, examples[i]) : scores;
          predictions[i] = judged.every(Number.isFinite) ? argmax(judged) : 0;
          const own = lossOf(examples[i], scores, objective);
          losses[i] = own.loss;
          weights[i] = own.weight;
        }
        done += chunk[j].length;
      });
      first += chunk.length;
      perWait = Math.max(1, Math.min(64, Math.round(400 / Math.max(1, took))));
      onProgress?.(done, examples.length);
    }
    const loss = sum / weight;
    if (!Number.isFinite(loss)) {
      const why = await model.whyNotFinite(options.tuned ?? evaluator.tuned);
      throw new RangeError(
        `Cannot evaluate: the loss over ${examples.length} examples is ${loss}. ${why}`,
      );
    }
    return {
      loss,
      predictions,
      examples: examples.length,
      byExample: { losses, weights },
      ...(objective === "classification"
        ? {
          accuracy: accuracy(
            judgedPredictions(predictions, examples),
            examples.map((e) => e.label),
          ),
        }
        : {}),
    };
  } finally {
    if (!options.evaluator) evaluator[Symbol.dispose]();
  }
}
