/**
 * A run: a configured fine-tune in its own folder, begun or resumed.
 *
 * @module
 */
import { OffsetSet } from "../../kernels/mod.ts";
import { fingerprintLike } from "../../models/checkpoints/fingerprint.ts";
import { planOffsets, type Selection } from "../selection.ts";
import { attempting } from "../../models/checkpoints/disk/attempt.ts";
import { writeFileWhole } from "../../models/checkpoints/disk/files.ts";
import type { Ledger, LedgerHeader, Optimiser } from "../../optim/mod.ts";
import { BegunFiles, eventFilesOf, remove } from "./begun_files.ts";
import { chooseLayers } from "./choose_layers.ts";
import { optimiserOfConfig } from "../config/optimiser.ts";
import { withAbsolutePaths } from "../config/paths.ts";
import type { TrainConfig } from "../config/schema.ts";
import { configToYaml } from "../config/write_yaml.ts";
import { EventFile } from "./event_file.ts";
import { finetune } from "../finetune.ts";
import type { TrainingEvent } from "../steps/training_events.ts";
import { LedgerFile } from "../ledgers/ledger_file.ts";
import { ledgerHeader } from "../ledgers/ledger_header.ts";
import { assertStateThere, openStates, type RunStates } from "../ledgers/run_states.ts";
import { assertSameRun } from "../ledgers/same_run.ts";
import { withSteps } from "./epochs.ts";
import { offsetsFor } from "../probes/offsets_for.ts";
import { checkRunOutput, inputsOf } from "./outputs.ts";
import { replayLedger } from "../ledgers/replay.ts";
import {
  type EvaluationMetrics,
  MetricsFile,
  readMetrics,
  type RunFolder,
  runFolder,
} from "./run_folder.ts";
import {
  assertSameData,
  dataOfRun,
  type DataOrder,
  leftOverOf,
  masksOf,
  masksOfExamples,
  orderOf,
} from "./run_data.ts";
import { maskedAnew } from "../../tasks/masked_tokens.ts";
import type { Example } from "../../models/batch.ts";
import type { Model } from "../../models/inference/model.ts";
import type { ExampleIn } from "../steps/chunk_queue.ts";
import { RunLock } from "./run_lock.ts";
import { assertTrainable, type RunSession, selectionOfConfig } from "./session.ts";
import { assertStorable, pairNotes, type Storable, storable } from "./storable.ts";
import { judgedBy, type TaskExamples } from "./task_examples.ts";
import { foundFacts } from "../../optim/preparations/preparation.ts";

/** Options of a run. */
export interface RunOptions {
  /** The device and the model. */
  readonly session: RunSession;
  /** The examples to train on and to evaluate. */
  readonly examples: TaskExamples;
  /** Called after each batch of the search for a layer, if the configuration selects a layer by a word. */
  readonly onChoice?: (done: number, total: number) => void;
  /** Called when an evaluation begins and after each of its waits, with the number of steps before it, examples done, and examples in total. */
  readonly onEvaluation?: ((step: number, done: number, total: number) => void) | undefined;
}

/** Options of a new run. */
export interface BeginRunOptions extends RunOptions {
  /**
   * Whether it may overwrite files with the names of its own and use a folder with other files. Default false. Its inputs and other runs are
   * never overwritten.
   */
  readonly force?: boolean;
  /** Aborts while gains are measured, before the ledger exists. `train` has its own signal. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of tensors measured and their total, if the optimiser needs gains. */
  readonly onGains?: ((done: number, total: number) => void) | undefined;
}

/** A run before its files are opened. */
interface PlannedRun {
  readonly config: TrainConfig;
  readonly folder: RunFolder;
  readonly optimiser: Optimiser;
  readonly selection: Selection;
  readonly headerOf: (offsets: OffsetSet, order?: DataOrder) => LedgerHeader;
}

/** The plan of a configured run, with words for layers and the number of steps resolved. */
async function planRun(configured: TrainConfig, options: RunOptions): Promise<PlannedRun> {
  const { session: { model }, examples, onChoice } = options;
  const config = await chooseLayers(withSteps(configured, examples), model, examples, onChoice);
  const optimiser = optimiserOfConfig(config);
  assertTrainable(config, options.session);
  return {
    config,
    folder: runFolder(config.output),
    optimiser,
    selection: selectionOfConfig(config),
    headerOf: (offsets, order = { masks: masksOfExamples(examples) }) => {
      const data = dataOfRun(config, examples, order);
      return ledgerHeader({ model, optimiser, offsets, seed: config.seed, data });
    },
  };
}

/** Creates a run's folder if necessary, and locks it. */
async function takeFolder({ path }: RunFolder, stack: DisposableStack): Promise<void> {
  await attempting(
    { what: "make the run's folder", path },
    () => Deno.mkdir(path, { recursive: true }),
  );
  stack.use(await RunLock.take(path));
}

/**
 * An open run. Disposing closes its files and frees its offsets.
 *
 * @example Two steps on the bundled reviews
 * ```ts
 * import { openRunSession, parseTrainConfig, Run, taskExamples } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const output = await Deno.makeTempDir();
 * const yaml = `
 * model: demo/model.gguf
 * task: {name: reviews, template: "{sentence} It was{label}", labels: {"0": " terrible", "1": " great"}}
 * data: {folder: demo, train: reviews_train.jsonl, validation: reviews_test.jsonl, validation_limit: 8}
 * quantize: {format: Q4_0}
 * steps: 2
 * output: ${output}`;
 * const config = parseTrainConfig(yaml, "a.yaml");
 * using session = await openRunSession(config);
 * const examples = await taskExamples(config, session.model.tokenizer!);
 * {
 *   using run = await Run.begin(config, { session, examples });
 *   for await (const event of run.train()) if (event.type === "end") assertEquals(event.step, 2);
 * }
 * await Deno.remove(output, { recursive: true });
 * ```
 */
export class Run implements Disposable {
  /** Paths of its files. */
  readonly folder: RunFolder;
  /** The configuration, in which a word for a layer has been replaced by its number. */
  readonly config: TrainConfig;
  /** The configured optimiser. */
  readonly optimiser: Optimiser;
  /** The trained offsets, on the device. */
  readonly offsets: OffsetSet;
  /** The ledger, open for appending. */
  readonly ledger: LedgerFile;
  /** The metrics, including those of earlier sessions. */
  readonly metrics: MetricsFile;
  /** Number of steps made before it was opened. */
  readonly resumedAt: number;
  /** Information for the user about how the run was resumed, one sentence each. */
  readonly notes: readonly string[];
  /** What a file would keep of the trained changes, by kind. Only for a new run. */
  readonly storables: readonly Storable[];
  /** The saved states, for exact gradients, which the ledger cannot replay. */
  readonly #states: RunStates | undefined;
  readonly #events: EventFile | undefined;
  readonly #options: RunOptions;
  readonly #state: readonly number[] | undefined;
  readonly #owned: DisposableStack;
  readonly #begun: BegunFiles | undefined;

  private constructor(
    config: TrainConfig,
    options: RunOptions,
    parts: {
      readonly optimiser: Optimiser;
      readonly offsets: OffsetSet;
      readonly ledger: LedgerFile;
      readonly states: RunStates | undefined;
      readonly metrics: MetricsFile;
      readonly events: EventFile | undefined;
      readonly state: readonly number[] | undefined;
      readonly notes: readonly string[];
      readonly storables: readonly Storable[];
      readonly owned: DisposableStack;
      readonly begun: BegunFiles | undefined;
    },
  ) {
    this.folder = runFolder(config.output);
    this.config = config;
    this.optimiser = parts.optimiser;
    this.offsets = parts.offsets;
    this.ledger = parts.ledger;
    this.metrics = parts.metrics;
    this.#events = parts.events;
    this.#states = parts.states;
    this.resumedAt = this.length;
    this.notes = parts.notes;
    this.storables = parts.storables;
    this.#options = options;
    this.#state = parts.state;
    this.#owned = parts.owned;
    this.#begun = parts.begun;
  }

  /** Number of steps on disk. */
  get length(): number {
    return this.#states?.last.step ?? this.ledger.length;
  }

  /**
   * Begins the configured run in its own folder.
   *
   * @throws {Deno.errors.AlreadyExists} when the folder contains a ledger.
   * @throws {RangeError} when no file could store what is trained and the ledger alone is not accepted, the folder contains unrelated files, or
   * a link leads out of it.
   */
  static async begin(configured: TrainConfig, options: BeginRunOptions): Promise<Run> {
    using stack = new DisposableStack();
    const planned = await planRun(configured, options);
    const { config, folder, optimiser, selection } = planned;
    const { session: { model, source }, examples, force, signal, onGains } = options;
    await checkRunOutput(folder.path, { inputs: await inputsOf(config), force, resume: false });
    const begun = stack.use(new BegunFiles(folder));
    await takeFolder(folder, stack);
    const { train: { examples: train }, objective } = examples;
    const { batchSize, seed, trainables: { ledgerOnly = false } } = config;
    const how = { selection, train, objective, batchSize, seed, signal, onGains };
    const offsets = stack.use(await offsetsFor(model, optimiser, how));
    const storables = await storable(source, offsets.trainables);
    const notes = [...assertStorable(storables, ledgerOnly), ...pairNotes(offsets.trainables)];
    const ledger = stack.use(await LedgerFile.create(folder.ledger, planned.headerOf(offsets)));
    begun.made();
    // Remove the files of a run that is overwritten.
    [folder.state, folder.best, ...eventFilesOf(folder.path)].forEach(remove);
    const states = optimiser.estimator.exact ? await openStates(folder, ledger.head) : undefined;
    const chain = optimiser.transformation.init();
    await states?.last.save(model.gpu, { step: 0, chain, offsets });
    const parts = { offsets, ledger, states, notes, storables, begun, stack };
    return await Run.#open(planned, options, parts);
  }

  /**
   * Resumes the configured run. Offsets are replayed from the ledger, the optimiser's state is that of its last record, and an incomplete record
   * is removed. For exact gradients, both come from the last saved state.
   *
   * @throws {Deno.errors.NotFound} when there is no run to resume.
   * @throws {RangeError} when the ledger was made with another model, optimiser or seed, or with other data, including held-out data.
   */
  static async resume(configured: TrainConfig, options: RunOptions): Promise<Run> {
    using stack = new DisposableStack();
    const planned = await planRun(configured, options);
    const { config, folder, optimiser, selection, headerOf } = planned;
    const { session: { gpu, model } } = options;
    await checkRunOutput(folder.path, { inputs: await inputsOf(config), resume: true });
    await takeFolder(folder, stack);
    // Facts measured for each tensor are taken from the ledger: measured on another device, their last bits could differ.
    const check = async (theirs: Ledger) => {
      const known = new Map(theirs.header.trainables.map((one) => [one.name, one]));
      const { trainables } = planOffsets(model, optimiser, gpu.maxBinding, selection);
      const found = trainables.map((one) => ({ ...one, ...foundFacts(known.get(one.name)) }));
      const base = await fingerprintLike(theirs.header.model, model);
      const now = headerOf(new OffsetSet(found, gpu.maxBinding), orderOf(theirs.header));
      assertSameRun(theirs, { ...now, model: base }, folder.ledger);
      assertSameData(theirs.header.data, now.data, { path: folder.ledger, config });
    };
    const opened = await LedgerFile.resume(folder.ledger, { check });
    const ledger = stack.use(opened.file);
    const { notes, header, records } = opened.ledger;
    if (header.exact) {
      const states = await openStates(folder, ledger.head);
      const told = await readMetrics(folder.metrics);
      assertStateThere(states, told.reduce((most, { step }) => Math.max(most, step), 0));
      const { maxBinding } = gpu;
      const offsets = stack.use(new OffsetSet(header.trainables, maxBinding).allocate(gpu));
      await states.last.restore(gpu, offsets, optimiser.update);
      return await Run.#open(planned, options, { offsets, ledger, states, notes, stack });
    }
    const offsets = stack.use(await replayLedger(model, opened.ledger));
    const state = records.length > 0 ? records.state(records.length - 1) : undefined;
    return await Run.#open(planned, options, { offsets, ledger, notes, state, stack });
  }

  /** Opens the other files of a run whose ledger is open and whose offsets are at its end. */
  static async #open(
    { config, folder, optimiser }: PlannedRun,
    options: RunOptions,
    { offsets, ledger, states, notes, storables = [], state, begun, stack }: {
      readonly offsets: OffsetSet;
      readonly ledger: LedgerFile;
      readonly states?: RunStates | undefined;
      readonly notes: readonly string[];
      readonly storables?: readonly Storable[];
      readonly state?: readonly number[] | undefined;
      readonly begun?: BegunFiles;
      readonly stack: DisposableStack;
    },
  ): Promise<Run> {
    await writeFileWhole(folder.config, [
      new TextEncoder().encode(configToYaml(withAbsolutePaths(config), optimiser)),
    ]);
    const steps = states?.last.step ?? ledger.length;
    const metrics = stack.use(await MetricsFile.open(folder.metrics, steps));
    const events = config.log === undefined
      ? undefined
      : stack.use(await EventFile.create(folder.path, steps, metrics.events));
    begun?.keep(true);
    const owned = stack.move();
    const files = { ledger, states, metrics, events };
    const parts = { ...files, optimiser, offsets, state, notes, storables, begun };
    return new Run(config, options, { ...parts, owned });
  }

  /**
   * Trains up to the configured number of steps. Steps are on disk before they are yielded (with exact gradients, a state is saved every 20
   * seconds and at every evaluation); metrics follow. Events are those of {@linkcode finetune}. Afterwards `offsets` may be at any step; use
   * {@linkcode offsetsAfter} for a particular one.
   */
  async *train(signal?: AbortSignal): AsyncGenerator<TrainingEvent> {
    const { session: { model }, examples } = this.#options;
    const { objective, train, validation } = examples;
    const { config, metrics } = this;
    const { evaluateLimit = validation.examples.length } = config;
    const { header } = this.ledger.head;
    const anew = masksOf(header) === "each epoch";
    let flushed = performance.now();
    try {
      for await (
        const event of finetune({
          model,
          optimiser: this.optimiser,
          offsets: this.offsets,
          objective,
          train: train.examples,
          validation: validation.examples.slice(0, evaluateLimit),
          validationObjective: judgedBy(examples),
          batchSize: config.batchSize,
          steps: config.steps,
          seed: config.seed,
          leftOver: leftOverOf(header),
          exampleIn: anew ? maskedIn(model, train.examples) : undefined,
          evaluateEvery: config.evaluateEvery,
          patience: config.patience,
          lossesBefore: metrics.events.flatMap((it) => it.type === "evaluation" ? [it.loss] : []),
          activationBytes: config.device.activations * 2 ** 20,
          checkpoints: config.device.checkpoints,
          ...(this.#states ? { stateFile: this.#states.last } : { ledger: this.ledger }),
          keepBest: false,
          onEvaluation: this.#options.onEvaluation,
          ...(this.#state ? { state: this.#state } : {}),
          ...(signal ? { signal } : {}),
        })
      ) {
        if (event.type !== "end") {
          const before = metrics.events.length;
          const kept = metrics.add(event);
          // Save the state before the metrics mention it.
          if (kept.type === "evaluation" && kept.best && kept.step > 0) {
            const at = { step: kept.step, chain: this.optimiser.transformation.init() };
            await this.#states?.best.save(model.gpu, { ...at, offsets: this.offsets });
          }
          if (metrics.events.length > before) this.#events?.add(kept);
          // The best of the whole run; the loop knows only the evaluations of this session.
          yield event.type === "evaluation" && kept.type === "evaluation"
            ? { ...event, best: kept.best }
            : event;
        } else yield event;
        if (event.type !== "step" || performance.now() - flushed > METRICS_EVERY) {
          metrics.flush();
          this.#events?.flush();
          flushed = performance.now();
        }
      }
    } catch (error) {
      if (!signal?.aborted && this.length === 0) this.#begun?.keep(false);
      throw error;
    } finally {
      metrics.flush();
      this.#events?.flush();
    }
  }

  /** The best evaluation so far, in this and earlier sessions. */
  get best(): EvaluationMetrics | undefined {
    return this.metrics.best;
  }

  /** Closes files and frees offsets. A new run that failed before its first step leaves no files. */
  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}

/** Windows of a text with the masks of an epoch. */
function maskedIn({ tokenizer }: Model, windows: readonly Example[]): ExampleIn {
  if (!tokenizer) throw new TypeError("Cannot mask tokens: the model has no tokenizer");
  return (index, epoch) =>
    epoch === 0 ? windows[index] : maskedAnew(tokenizer, windows[index], { round: index, epoch });
}

const METRICS_EVERY = 300;
