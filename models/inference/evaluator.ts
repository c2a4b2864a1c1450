/**
 * Computes losses and candidates' scores of batches without noise, for held-out evaluation.
 *
 * @module
 */

import {
  ActivationPool,
  batchLayout,
  type BatchShape,
  compileGraph,
  Graph,
  type OffsetSet,
  type Plan,
  SHADER_LIBRARY,
  Storage,
  submitPlanInTurns,
} from "../../kernels/mod.ts";
import type { PackedBatch } from "../batch.ts";
import { assertBatchFits } from "../batch_fits.ts";
import { recordLoss } from "../forward.ts";
import { assertNotDisposed, type Model, type ModelPlan } from "./model.ts";
import { PlanCache } from "./plan_cache.ts";

/** The result of evaluating one batch. */
export interface BatchResult {
  /** Loss in nats per token (language modelling) or per example (classification). */
  readonly loss: number;
  /** Mean token log-probability per candidate. */
  readonly scores: Float32Array<ArrayBuffer>;
}

interface EvaluationPlan extends Disposable {
  readonly plan: Plan;
  readonly input: Storage;
  readonly losses: Storage;
  readonly scores: Storage;
}

/** The graph that evaluates one batch, with its inputs and outputs. Nothing is allocated. */
export function recordEvaluation(
  model: ModelPlan,
  shape: BatchShape,
  offsets: OffsetSet | undefined,
): {
  readonly graph: Graph;
  readonly input: Storage;
  readonly losses: Storage;
  readonly scores: Storage;
} {
  const input = new Storage("batch", batchLayout(shape).words * 4, "activations");
  const losses = new Storage("losses", 4, "activations");
  const scores = new Storage("scores", shape.candidates * 4, "activations");
  const graph = new Graph();
  recordLoss(graph, model, shape, 1, input, { losses, scores }, offsets && { offsets });
  return { graph, input, losses, scores };
}

/**
 * Evaluates batches on a model, with or without the offsets of a fine-tune.
 *
 * @example The loss of one text
 * ```ts
 * import { Evaluator, loadModel, openModelSource, packBatch } from "@qzo/qzo/models";
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * using evaluator = new Evaluator(model);
 * const text = { prompt: [], candidates: [model.tokenizer!.encode("The soup was warm.")], label: 0 };
 * const [{ loss }] = await evaluator.run([packBatch([text], "language-modelling", model)]);
 * assert(loss > 0 && loss < Math.log(model.config.vocabulary));
 * ```
 */
export class Evaluator implements Disposable {
  readonly #model: Model;
  readonly #offsets: OffsetSet | undefined;
  readonly #plans: PlanCache<EvaluationPlan>;
  readonly #activations: ActivationPool;
  #last: Promise<unknown> = Promise.resolve();

  /** Whether it evaluates a fine-tune. */
  get tuned(): boolean {
    return this.#offsets !== undefined;
  }

  /** Evaluates `model` with the fine-tune `offsets`, or the base model if there are none. */
  constructor(model: Model, offsets?: OffsetSet) {
    this.#model = model;
    this.#offsets = offsets;
    this.#plans = new PlanCache((shape) => this.#build(shape), {
      isStale: ({ plan }) => model.gpu.pacing.isStale(plan.largest, plan.isSplit),
    });
    this.#activations = new ActivationPool(model.gpu, () => this.#plans.clear());
  }

  #build(shape: BatchShape): EvaluationPlan {
    const { gpu } = this.#model;
    const { graph, ...storages } = recordEvaluation(this.#model, shape, this.#offsets);
    const [input, losses, scores] = [storages.input, storages.losses, storages.scores]
      .map((storage) => storage.allocate(gpu));
    const plan = compileGraph(gpu, graph, SHADER_LIBRARY, [], this.#activations);
    return {
      plan,
      input,
      losses,
      scores,
      [Symbol.dispose]() {
        for (const owned of [plan, input, losses, scores]) owned[Symbol.dispose]();
      },
    };
  }

  /**
   * Evaluates `batches` and waits once for all of them, so they should contain at most about half a second of work. Concurrent calls are
   * executed one after another.
   *
   * @param signal Aborts between two submissions.
   * @throws {RangeError} when a batch does not fit the model.
   */
  run(batches: readonly PackedBatch[], signal?: AbortSignal): Promise<BatchResult[]> {
    const results = this.#last.then(() => this.#run(batches, signal));
    this.#last = results.catch(() => {});
    return results;
  }

  async #run(batches: readonly PackedBatch[], signal?: AbortSignal): Promise<BatchResult[]> {
    if (batches.length === 0) return [];
    assertNotDisposed(this.#model, "evaluate");
    for (const batch of batches) assertBatchFits(batch, this.#model);
    const { gpu } = this.#model;
    const wordsOf = (batch: PackedBatch) => 4 + Math.ceil(batch.shape.candidates / 4) * 4;
    using results = new Storage(
      "evaluation results",
      batches.reduce((sum, b) => sum + wordsOf(b), 0) * 4,
      "scratch",
    ).allocate(gpu);
    let at = 0;
    for (const batch of batches) {
      const { plan, input, losses, scores } = this.#plans.get(batch.shape);
      gpu.write(input.buffer, batch.words);
      await submitPlanInTurns(gpu, plan, {
        signal,
        after: (encoder) => {
          const to = results.buffer.buffer;
          const bytes = batch.shape.candidates * 4;
          encoder.copyBufferToBuffer(losses.buffer.buffer, 0, to, at, 4);
          encoder.copyBufferToBuffer(scores.buffer.buffer, 0, to, at + 16, bytes);
        },
      });
      at += wordsOf(batch) * 4;
    }
    gpu.pipelines.check();
    const values = await gpu.readFloats(results.buffer);
    gpu.pipelines.check();
    at = 0;
    return batches.map((batch) => {
      const result = {
        loss: values[at],
        scores: values.slice(at + 4, at + 4 + batch.candidates) as Float32Array<ArrayBuffer>,
      };
      at += wordsOf(batch);
      return result;
    });
  }

  /** Frees the evaluator's plans. */
  [Symbol.dispose](): void {
    this.#plans[Symbol.dispose]();
    this.#activations[Symbol.dispose]();
  }
}
