/**
 * The training loop: queue a chunk of steps, wait once, drain its records, write the ledger, yield events, repeat.
 *
 * @module
 */

import { assertOptions, count, countOrNone, type OptionRules } from "../optim/options.ts";
import { type OffsetSet, prepareOffsets, type StepRecord } from "../kernels/mod.ts";
import type { Example, Objective } from "../models/batch.ts";
import { Evaluator } from "../models/inference/evaluator.ts";
import { assertNotDisposed, type Model } from "../models/inference/model.ts";
import type { DeviceSpan } from "./steps/step_clock.ts";
import { Trainer } from "./steps/trainer.ts";
import { integerWithin } from "../optim/check.ts";
import { learningRateAt } from "../optim/learning_rate_of.ts";
import { periods } from "../optim/preparations/preparation.ts";
import { preparationsOf } from "../optim/preparations/preparations.ts";
import { NonFiniteLossError } from "../optim/non_finite_loss_error.ts";
import { forwardsOf, type Optimiser } from "../optim/optimiser.ts";
import type { LeftOver } from "../tasks/order.ts";
import { BestSoFar } from "./steps/best_so_far.ts";
import { ChunkQueue, type ExampleIn } from "./steps/chunk_queue.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import { Pace } from "./steps/pace.ts";
import { asReplayed, assertState, assertWritable } from "./steps/going_on.ts";
import type { LedgerFile } from "./ledgers/ledger_file.ts";
import type { StateFile } from "./ledgers/state_file.ts";
import { assertReplayable } from "./ledgers/ledger_header.ts";
import type { Checkpoints } from "./steps/record_step.ts";
import { type EvaluationEvent, stepEvent, type TrainingEvent } from "./steps/training_events.ts";
import { Patience } from "./steps/patience.ts";
import { stepOrder } from "./steps/step_order.ts";

/** Options of a fine-tune. */
export interface FinetuneOptions {
  /** The base model. */
  readonly model: Model;
  /** The optimiser. */
  readonly optimiser: Optimiser;
  /** The offsets to train, allocated: zero for a new fine-tune, replayed to continue one. */
  readonly offsets: OffsetSet;
  /** Language modelling or classification. */
  readonly objective: Objective;
  /** Training examples. */
  readonly train: readonly Example[];
  /**
   * Returns a training example as it is in a given epoch, for example with its own masks ({@linkcode maskedAnew} of `@qzo/qzo/tasks`). Default:
   * the same in every epoch.
   */
  readonly exampleIn?: ExampleIn | undefined;
  /** Held-out examples, evaluated at the start, every `evaluateEvery` steps and at the end. */
  readonly validation?: readonly Example[];
  /** The objective by which held-out examples are judged. Default: the training objective. */
  readonly validationObjective?: Objective | undefined;
  /** Examples per step. Default 16. */
  readonly batchSize?: number;
  /** Total number of steps, including those already in the ledger. */
  readonly steps: number;
  /** Seed of the noise and of the order of examples. Default 0. */
  readonly seed?: number;
  /** Which examples are in the smaller batch of an epoch. Default `"random"`; runs from before 2026-12 continue with `"longest"`. */
  readonly leftOver?: LeftOver | undefined;
  /** Steps between evaluations. 0: only at the start and the end. Default 0. */
  readonly evaluateEvery?: number;
  /** Number of evaluations without a lower held-out loss after which training stops. Default: all steps are made. */
  readonly patience?: number | undefined;
  /** Held-out losses of this fine-tune before it was interrupted, in order. Patience continues counting from them. */
  readonly lossesBefore?: readonly number[] | undefined;
  /** Bytes of activations above which a step's branches are evaluated in several passes. Results do not depend on it. Default 1 GiB. */
  readonly activationBytes?: number;
  /**
   * What exact gradients store from the forward pass. Results do not depend on it. Default: everything if it fits `activationBytes`, otherwise
   * the input of each block.
   */
  readonly checkpoints?: Checkpoints | undefined;
  /** The ledger to append steps to. Steps that it already contains are not repeated. */
  readonly ledger?: LedgerFile;
  /**
   * For an optimiser with exact gradients, the file that stores the state instead of a ledger: at every evaluation, every 20 seconds and at the
   * end. Its steps are not repeated; {@linkcode StateFile.restore} must have restored `offsets` from it.
   */
  readonly stateFile?: StateFile | undefined;
  /** The chain's state after the ledger's last step. Required if the ledger contains steps. */
  readonly state?: readonly number[];
  /** Stops after the current chunk, or during an evaluation. The ledger is complete afterwards. */
  readonly signal?: AbortSignal;
  /**
   * Whether `offsets` hold the best state at the end. A copy is kept in the host's memory, not on the device. Default true. If false, `offsets`
   * hold the last state, and the best one can be replayed from a ledger.
   */
  readonly keepBest?: boolean;
  /** Called when an evaluation begins and after each of its waits, with the number of steps before it, examples done, and examples in total. */
  readonly onEvaluation?: ((step: number, done: number, total: number) => void) | undefined;
  /** Called after each chunk with the times at which the device worked on it, by the device's clock if it has one. For measurements. */
  readonly onChunkTimes?: (times: readonly DeviceSpan[]) => void;
}

const finetuneRules: OptionRules<FinetuneOptions> = {
  model: "any",
  optimiser: "any",
  offsets: "any",
  objective: "any",
  train: "any",
  exampleIn: "any",
  validation: "any",
  validationObjective: "any",
  batchSize: count,
  steps: "any",
  seed: countOrNone,
  leftOver: "any",
  evaluateEvery: countOrNone,
  activationBytes: count,
  checkpoints: "any",
  ledger: "any",
  stateFile: "any",
  state: "any",
  signal: "any",
  patience: count,
  lossesBefore: "any",
  keepBest: "any",
  onEvaluation: "any",
  onChunkTimes: "any",
};

/**
 * Fine-tunes a model's offsets. Steps run on the device in chunks of about 0.4 s, with one chunk queued ahead. After each chunk, the ledger is
 * flushed, events are yielded and signals are handled. At the end, `offsets` hold the state with the best held-out evaluation, if there were
 * any.
 *
 * @throws {NonFiniteLossError} when a loss is not finite. The ledger contains the steps before it.
 * @throws {RangeError} when there is nothing to train on, or the ledger belongs to another model, seed or optimiser.
 * @throws {TypeError} when the state is missing or belongs to another optimiser, or a ledger is given for exact gradients.
 *
 * @example Two steps on two reviews
 * ```ts
 * import { finetune, loadModel, offsetsFor, openGpu, openModelSource, quantizedSource, qzoNormalised } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * using model = await loadModel(gpu, source);
 * const [fine, dull, terrible, great] = ["A fine film. It was", "A dull film. It was", " terrible", " great"]
 *   .map((text) => model.tokenizer!.encode(text, { addSpecial: false }));
 * const candidates = [terrible, great];
 * const train = [{ prompt: fine, candidates, label: 1 }, { prompt: dull, candidates, label: 0 }];
 * const optimiser = qzoNormalised({ learningRate: 0.02 });
 * using offsets = await offsetsFor(model, optimiser);
 * const run = { model, optimiser, offsets, train, objective: "classification", steps: 2 } as const;
 * const losses: number[] = [];
 * for await (const event of finetune(run)) if (event.type === "step") losses.push(event.loss);
 * assertEquals(losses.length, 2);
 * ```
 */
export async function* finetune(options: FinetuneOptions): AsyncGenerator<TrainingEvent> {
  assertOptions("fine-tune", options, finetuneRules);
  const { model, offsets, objective, train, validation, steps, ledger, signal } = options;
  assertNotDisposed(model, "fine-tune");
  const { stateFile } = options;
  if (ledger) assertReplayable(options.optimiser);
  if (stateFile && !options.optimiser.estimator.exact) {
    throw new TypeError(
      `Cannot keep a state of ${options.optimiser.name}: its ledger replays; give \`ledger\` in place of \`stateFile\``,
    );
  }
  const optimiser = asReplayed(options.optimiser, ledger);
  const { seed = 0, evaluateEvery = 0 } = options;
  if (train.length === 0) throw new RangeError("Cannot fine-tune: there are no training examples");
  if (!(Number.isSafeInteger(steps) && steps >= 0)) {
    throw new RangeError(`Cannot fine-tune for ${steps} steps`);
  }
  for (
    const [name, least] of [["batchSize", 1], ["evaluateEvery", 0], ["activationBytes", 1], [
      "patience",
      1,
    ]] as const
  ) {
    const value = options[name];
    if (value !== undefined) {
      integerWithin("a fine-tune", name, value, least, Number.MAX_SAFE_INTEGER);
    }
  }
  const { patience } = options;
  if (patience !== undefined && (evaluateEvery === 0 || !validation?.length)) {
    throw new RangeError(
      `Cannot fine-tune with patience ${patience}: ${
        evaluateEvery === 0 ? "evaluateEvery is 0" : "there are no validation examples"
      }`,
    );
  }
  const waiting = new Patience(patience ?? Infinity, options.lossesBefore);
  const order = stepOrder(train, optimiser, options);
  using _held = ledger?.hold();
  let step = stateFile?.step ?? ledger?.length ?? 0;
  let chain = options.state ?? stateFile?.chain;
  assertState(optimiser, offsets, step, chain);
  // Discards the state that an update rule kept in another fine-tune.
  if (step === 0) offsets.freeMoments();
  const kin = ledger ?? stateFile;
  if (kin) await assertWritable(kin, { model, optimiser, offsets, seed });
  const preparations = preparationsOf(optimiser.plan);
  using trainer = new Trainer(model, optimiser, offsets, {
    seed,
    ...(chain ? { state: chain } : {}),
    ...(options.activationBytes ? { activationBytes: options.activationBytes } : {}),
    checkpoints: options.checkpoints,
    ...(options.onChunkTimes ? { onTimes: options.onChunkTimes } : {}),
  });
  using evaluator = new Evaluator(model, offsets);
  const kept = new Kept(model, offsets, options.keepBest ?? true);
  let looks = 0;
  let last: Evaluation | undefined;
  // Undefined if nothing is held out, or the signal aborted meanwhile.
  const evaluateNow = async (): Promise<EvaluationEvent | undefined> => {
    if (!validation || validation.length === 0) return undefined;
    const begun = performance.now();
    options.onEvaluation?.(step, 0, validation.length);
    try {
      const evaluation = await evaluate(model, validation, {
        objective: options.validationObjective ?? objective,
        evaluator,
        tuned: step > 0,
        onProgress: (done, total) => options.onEvaluation?.(step, done, total),
        ...(options.batchSize ? { batchSize: options.batchSize } : {}),
        ...(signal ? { signal } : {}),
      });
      const best = await kept.add(evaluation, step);
      looks++;
      const seconds = (performance.now() - begun) / 1000;
      return { type: "evaluation", step, evaluation, seconds, best };
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return undefined;
      throw error;
    }
  };

  // Call it only while no steps are queued.
  const saveState = async () => {
    if (!stateFile || step === stateFile.step) return;
    const accumulating = step % optimiser.plan.hold !== 0;
    const { update } = optimiser;
    await stateFile.save(model.gpu, { step, chain: chain ?? [], offsets, update, accumulating });
  };

  const first = await evaluateNow();
  if (first) {
    // A resumed run was already evaluated at this step.
    if (!options.lossesBefore?.length) waiting.add(first.evaluation.loss);
    yield first;
  }
  const pace = new Pace();
  const rateOf = learningRateAt(optimiser);
  let queue: ChunkQueue | undefined;
  let whole = true;
  let failure: unknown;
  // A caller that stops in the middle of a chunk has not received all of its steps.
  let made = step;
  const append = async (records: readonly StepRecord[]) => {
    whole = false;
    await ledger?.append(records);
    whole = true;
  };
  try {
    for (const { from, to, due } of periods(preparations, step, steps)) {
      // Stopped before the steps of this period, so nothing is prepared for them.
      if (step < from) break;
      if (waiting.isOver) break;
      for (const one of due) await prepareOffsets(model.gpu, one, offsets, model.tensors);
      const pauses = stateFile && (() => stateFile.isDue);
      queue = new ChunkQueue(trainer, order, { ...options, steps: to, pauses }, {
        step: from,
        branches: forwardsOf(optimiser),
      });
      while (queue.pending) {
        const chunk = await queue.next();
        await append(chunk.made);
        made += chunk.made.length;
        chain = chunk.made.at(-1)?.state ?? chain;
        const paceOf = pace.add(chunk);
        for (const [i, record] of chunk.made.entries()) {
          step++;
          const rest = { ...paceOf(i), learningRate: rateOf?.(step - 1) };
          yield stepEvent(step, record, optimiser, rest);
        }
        if (chunk.halted) {
          const { losses, coefficients } = chunk.halted;
          const finite = losses.every(Number.isFinite);
          throw new NonFiniteLossError(step, losses, {
            coefficients: finite ? coefficients : undefined,
            why: await whyStepFailed(model, step, finite),
          });
        }
        if (stateFile?.isDue && queue.isIdle) await saveState();
        // Timers and signals were blocked while waiting for the device.
        await new Promise((resolve) => setTimeout(resolve, 0));
        if (evaluateEvery > 0 && step % evaluateEvery === 0 && step < steps && !signal?.aborted) {
          const event = await evaluateNow();
          await saveState();
          if (event) {
            waiting.add(event.evaluation.loss);
            yield event;
            if (waiting.isOver) {
              last = event.evaluation;
              break;
            }
          }
        }
      }
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    // Steps that were still queued also move the offsets, so they are appended to the ledger.
    const rest = await queue?.rest() ?? [];
    if (whole) await append(rest);
    if (stateFile && (failure === undefined || failure instanceof NonFiniteLossError)) {
      step = made + rest.length;
      chain = rest.at(-1)?.state ?? chain;
      await saveState();
    }
  }
  const impatient = waiting.isOver && step < steps;
  let aborted = step < steps && !impatient;
  if (impatient) kept.restore();
  else if (!aborted) {
    const final = await evaluateNow();
    if (final) yield final;
    last = final?.evaluation;
    aborted = !final && (validation?.length ?? 0) > 0;
    if (!aborted) kept.restore();
  }
  yield {
    type: "end",
    step,
    reason: aborted ? "aborted" : impatient ? "patience" : "done",
    bestStep: kept.step,
    best: kept.best,
    looks,
    last,
  };
}

/** Explains a loss that is not finite: in the first step by the weights, later by the steps before. */
async function whyStepFailed(model: Model, step: number, finiteLosses: boolean): Promise<string> {
  if (!finiteLosses && step === 0) return await model.whyNotFinite();
  const advice = "Use a smaller learning rate or epsilon, or clip the derivative";
  return finiteLosses ? advice : `${await model.whyNotFinite(true)}. ${advice}`;
}

/** The best state so far, in the host's memory. */
class Kept {
  readonly #model: Model;
  readonly #offsets: OffsetSet;
  readonly #wanted: boolean;
  #values: ReadonlyMap<string, Float32Array<ArrayBuffer>> | undefined;
  readonly #looks = new BestSoFar();
  best: Evaluation | undefined;
  step: number | undefined;

  constructor(model: Model, offsets: OffsetSet, wanted: boolean) {
    this.#model = model;
    this.#offsets = offsets;
    this.#wanted = wanted;
  }

  /** Keeps the evaluated state if it is the best so far, and returns whether it is. */
  async add(evaluation: Evaluation, step: number): Promise<boolean> {
    const { loss, accuracy, examples } = evaluation;
    if (!this.#looks.add({ loss, correct: accuracy?.correct, examples })) return false;
    this.best = evaluation;
    this.step = step;
    if (this.#wanted) this.#values = await this.#offsets.read(this.#model.gpu);
    return true;
  }

  restore(): void {
    if (this.#values) this.#offsets.write(this.#model.gpu, this.#values);
  }
}
