/**
 * Trains a model with any objective that the host can compute: accuracy, the F1 of generated text, a person's rating.
 *
 * @module
 */

import { assertOptions, countOrNone } from "../optim/options.ts";
import { assertTrainables, OffsetSet, prepareOffsets, replayMoves } from "../kernels/mod.ts";
import { assertNotDisposed, type Model } from "../models/inference/model.ts";
import {
  masterSeed,
  type Optimiser,
  roundCoefficient,
  runSteps,
  type ScalarResult,
  type StepExecutor,
} from "../optim/mod.ts";
import { integerWithin } from "../optim/check.ts";
import { asReplayed, assertState, assertWritable } from "./steps/going_on.ts";
import type { LedgerFile } from "./ledgers/ledger_file.ts";

/** The point at which an objective is evaluated. */
export interface ObjectivePoint {
  /** The offsets to evaluate with. Do not keep, change or dispose them. */
  readonly offsets: OffsetSet;
  /** Number of the step, from 0. Choose the batch by it, so that all points of a step use the same batch. */
  readonly step: number;
}

/** Options of a fine-tune by a function. */
export interface HostObjectiveOptions {
  /** The base model. */
  readonly model: Model;
  /** The optimiser. */
  readonly optimiser: Optimiser;
  /** The offsets to train, allocated: zero for a new fine-tune, replayed to continue one. */
  readonly offsets: OffsetSet;
  /** The function to minimise, in any unit. It is called for each branch of each step. */
  readonly objective: (point: ObjectivePoint) => number | Promise<number>;
  /** Total number of steps, including those already in the ledger. */
  readonly steps: number;
  /** Seed of the noise. Default 0. */
  readonly seed?: number;
  /** The ledger to append steps to. Steps that it already contains are not repeated. */
  readonly ledger?: LedgerFile;
  /** The chain's state after the ledger's last step. Required if the ledger contains steps. */
  readonly state?: readonly number[];
  /** Aborts between evaluations. */
  readonly signal?: AbortSignal;
}

/** A step made with a host objective. */
export interface HostObjectiveStep extends ScalarResult<number> {
  /** Number of steps done. */
  readonly step: number;
  /** One value per branch, then one per candidate of an accept rule. */
  readonly losses: readonly number[];
}

/**
 * Fine-tunes a model's offsets with a function on the host, by any optimiser that needs only losses. Yields each step after it has been written
 * to the ledger, which replays like any other. The function need not have a gradient or be deterministic.
 *
 * Each branch is a copy of the offsets, moved along its direction by its amplitude in 16 bits, so each branch costs a wait and an update of all
 * offsets. For losses that the device can compute, use {@linkcode finetune}.
 *
 * @throws {NonFiniteLossError} when a value is not finite. No offset has moved in that step.
 * @throws {RangeError} when the ledger belongs to another model, seed or optimiser.
 * @throws {TypeError} when the state is missing or belongs to another optimiser, or the optimiser needs derivatives, which a function does not
 * provide.
 * @throws The signal's reason when it aborts.
 *
 * @example Train towards text that contains the words of an answer
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { generate, loadModel, openModelSource } from "@qzo/qzo/models";
 * import { planOffsets } from "@qzo/qzo/train";
 * import { qzoNormalised } from "@qzo/qzo/optim";
 * import { tokenF1 } from "@qzo/qzo/tasks";
 * import { finetuneByFunction } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * const optimiser = qzoNormalised();
 * using offsets = planOffsets(model, optimiser, gpu.maxBinding, { kinds: ["norms"] }).allocate(gpu);
 * const prompt = model.tokenizer!.encode("The film was");
 * const run = finetuneByFunction({
 *   ...{ model, optimiser, offsets, steps: 1 },
 *   async objective({ offsets }) {
 *     let text = "";
 *     for await (const token of generate(model, prompt, { offsets, maxTokens: 2 })) text += token.text;
 *     return 1 - tokenF1(text, ["a good film"]);
 *   },
 * });
 * for await (const { step, losses } of run) assertEquals([step, losses.length], [1, 2]);
 * ```
 */
export async function* finetuneByFunction(
  options: HostObjectiveOptions,
): AsyncGenerator<HostObjectiveStep> {
  assertOptions("fine-tune", options, {
    model: "any",
    optimiser: "any",
    offsets: "any",
    objective: "any",
    steps: "any",
    seed: countOrNone,
    ledger: "any",
    state: "any",
    signal: "any",
  });
  const { model, offsets, objective, ledger, signal, seed = 0 } = options;
  assertNotDisposed(model, "fine-tune");
  const optimiser = asReplayed(options.optimiser, ledger);
  if (optimiser.estimator.tangents || optimiser.estimator.exact) {
    throw new TypeError(
      `Cannot fine-tune by a function with ${optimiser.name}: ${optimiser.estimator.name} takes derivatives of losses that the device computes; use an optimiser that compares losses, such as mezo`,
    );
  }
  const { gpu, tensors } = model;
  const { law, projection, update, plan } = optimiser;
  integerWithin("a fine-tune", "steps", options.steps, 0, Number.MAX_SAFE_INTEGER);
  using _held = ledger?.hold();
  const first = ledger?.length ?? 0;
  assertTrainables(optimiser, offsets);
  assertState(optimiser, offsets, first, options.state);
  if (ledger) await assertWritable(ledger, { model, optimiser, offsets, seed });
  // Discards the state that an update rule kept in another fine-tune.
  if (first === 0) offsets.freeMoments();
  // Perturbations are scaled by the group's epsilon, steps by its learning rate.
  const looking = offsets.trainables.map((one) =>
    one.group ? { ...one, group: { ...one.group, pace: one.group.reach } } : one
  );
  using moved = new OffsetSet(looking, gpu.maxBinding).allocate(gpu);
  const executor: StepExecutor = {
    async losses(looks, step) {
      const losses: number[] = [];
      for (const { seed, amplitude } of looks) {
        signal?.throwIfAborted();
        moved.copyFrom(gpu, offsets);
        await replayMoves(gpu, { law, projection: "none", plan }, moved, tensors, [
          { seeds: [seed], coefficients: [roundCoefficient(amplitude)] },
        ]);
        losses.push(await objective({ offsets: moved, step }));
      }
      return losses;
    },
    move: (steps) => replayMoves(gpu, { law, projection, update, plan }, offsets, tensors, steps),
    prepare: (preparation) => prepareOffsets(gpu, preparation, offsets, tensors),
  };
  const from = {
    master: masterSeed(seed),
    step: first,
    state: options.state ?? optimiser.transformation.init(),
  };
  for await (const made of runSteps(optimiser, executor, from, options.steps)) {
    await ledger?.append([made]);
    const { seeds: _, inputs: __, held: ___, ...step } = made;
    yield { ...step, step: made.step + 1 };
  }
}
