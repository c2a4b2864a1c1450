/**
 * A run: a configured fine-tune in a folder of its own, begun or gone on with.
 *
 * @module
 */
import { join } from "@std/path";
import { OffsetSet } from "../../kernels/mod.ts";
import { fingerprintLike } from "../../models/checkpoints/fingerprint.ts";
import { planOffsets } from "../selection.ts";
import { attempting } from "../../models/checkpoints/disk/attempt.ts";
import { writeFileWhole } from "../../models/checkpoints/disk/files.ts";
import {
  assertLedgerFits,
  type JsonValue,
  type Ledger,
  type LedgerHeader,
  type Optimiser,
} from "../../optim/mod.ts";
import { chooseLayers } from "./choose_layers.ts";
import { optimiserOfConfig } from "../config/optimiser.ts";
import { withAbsolutePaths } from "../config/paths.ts";
import type { TrainConfig } from "../config/schema.ts";
import { configToYaml } from "../config/write_yaml.ts";
import { EventFile } from "./event_file.ts";
import { isEventFile } from "./event_file_name.ts";
import { finetune, type TrainingEvent } from "../finetune.ts";
import { LedgerFile } from "../ledgers/ledger_file.ts";
import { ledgerHeader } from "../ledgers/ledger_header.ts";
import { withSteps } from "./epochs.ts";
import { offsetsFor } from "../probes/offsets_for.ts";
import { checkRunOutput, inputsOf } from "./outputs.ts";
import { replayLedger } from "../ledgers/replay.ts";
import { type EvaluationMetrics, MetricsFile, type RunFolder, runFolder } from "./run_folder.ts";
import { assertSameData, dataOfRun, leftOverOf } from "./run_data.ts";
import { RunLock } from "./run_lock.ts";
import type { LeftOver } from "../../tasks/order.ts";
import { type RunSession, selectionOfConfig } from "./session.ts";
import { assertStorable, pairNotes, type Storable, storable } from "./storable.ts";
import type { TaskExamples } from "./task_examples.ts";

/** What a run works with. */
export interface RunOptions {
  /** The device and the model. */
  readonly session: RunSession;
  /** What it learns from and is judged by. */
  readonly examples: TaskExamples;
  /** Go on with the run in `config.output`. Default false: begin one, refusing a folder that holds one. */
  readonly resume?: boolean;
  /** A new run may write over files of its names, and among others. Default false; what it is read from, and a run, are never written over. */
  readonly force?: boolean;
  /** Told after each batch of the search for a layer, where the configuration has a word for it. */
  readonly onChoice?: (done: number, total: number) => void;
  /** Told as an evaluation begins and after each of its waits: steps made before it, examples done, examples in all. */
  readonly onEvaluation?: ((step: number, done: number, total: number) => void) | undefined;
  /** Stops while tensors are looked at, before there is a ledger; `train` has its own. */
  readonly signal?: AbortSignal | undefined;
  /** Told how many of how many tensors have been looked at, where the optimiser wants to know which are steep. */
  readonly onGains?: ((done: number, total: number) => void) | undefined;
}

/** A run that is open; dispose closes its files and frees its offsets. */
export class Run implements Disposable {
  /** Where its files lie. */
  readonly folder: RunFolder;
  /** What is run; a word for a layer has become its number. */
  readonly config: TrainConfig;
  /** The configured optimiser. */
  readonly optimiser: Optimiser;
  /** What is trained, on the device. */
  readonly offsets: OffsetSet;
  /** The ledger, open for appending. */
  readonly ledger: LedgerFile;
  /** The metrics, of earlier sessions too. */
  readonly metrics: MetricsFile;
  /** Steps that were made before it was opened. */
  readonly resumedAt: number;
  /** What a user should know of how it was gone on with, a sentence each. */
  readonly notes: readonly string[];
  /** What a file would keep of what is trained, by kind; of a run that is begun. */
  readonly storables: readonly Storable[];
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
    this.resumedAt = parts.ledger.length;
    this.notes = parts.notes;
    this.storables = parts.storables;
    this.#options = options;
    this.#state = parts.state;
    this.#owned = parts.owned;
    this.#begun = parts.begun;
  }

  /**
   * Begins the configured run, or goes on with it: offsets are replayed from the ledger, the optimiser's state is that of
   * its last record, and a torn tail is cut off.
   *
   * @throws {Deno.errors.AlreadyExists} When a new run's folder holds a ledger
   * @throws {Deno.errors.NotFound} When there is no run to go on with
   * @throws {RangeError} When no file could hold what is trained and the ledger is not enough, a new run's folder holds foreign files, a link
   * leads out of it, or the ledger was made with another model, optimiser, seed or other data, held out ones too
   */
  static async open(configured: TrainConfig, options: RunOptions): Promise<Run> {
    const { session: { gpu, model }, resume = false } = options;
    const counted = withSteps(configured, options.examples);
    const config = await chooseLayers(counted, model, options.examples, options.onChoice);
    const folder = runFolder(config.output);
    const optimiser = optimiserOfConfig(config);
    assertTrainable(config, options.session);
    using stack = new DisposableStack();
    const selection = selectionOfConfig(config);
    const headerOf = (of: OffsetSet, leftOver?: LeftOver) =>
      ledgerHeader({
        model,
        optimiser,
        offsets: of,
        seed: config.seed,
        data: dataOfRun(config, options.examples, leftOver),
      });
    const { force } = options;
    await checkRunOutput(folder.path, { inputs: await inputsOf(config), force, resume });
    const begun = resume ? undefined : stack.use(new BegunFiles(folder));
    await attempting(
      { what: "make the run's folder", path: folder.path },
      () => Deno.mkdir(folder.path, { recursive: true }),
    );
    stack.use(await RunLock.take(folder.path));
    let offsets: OffsetSet;
    let ledger: LedgerFile;
    let state: readonly number[] | undefined;
    let notes: readonly string[] = [];
    let storables: readonly Storable[] = [];
    if (resume) {
      // What was found of each tensor is not looked for again: an adapter's last bits could make it another.
      const check = async (theirs: Ledger) => {
        const known = new Map(theirs.header.trainables.map((one) => [one.name, one]));
        const { trainables } = planOffsets(model, optimiser, gpu.maxBinding, selection);
        const found = trainables.map((one) => {
          const { share, gain } = known.get(one.name) ?? {};
          return { ...one, share, gain };
        });
        const planned = new OffsetSet(found, gpu.maxBinding);
        const base = await fingerprintLike(theirs.header.model, model);
        const now = headerOf(planned, leftOverOf(theirs.header));
        assertResumable(theirs, { ...now, model: base }, folder.ledger, config);
      };
      const opened = await LedgerFile.resume(folder.ledger, { check });
      ledger = stack.use(opened.file);
      notes = opened.ledger.notes;
      offsets = stack.use(await replayLedger(model, opened.ledger));
      const { records } = opened.ledger;
      state = records.length > 0 ? records.state(records.length - 1) : undefined;
    } else {
      const { train: { examples: train }, objective } = options.examples;
      const { batchSize, seed } = config;
      const { signal, onGains } = options;
      offsets = stack.use(
        await offsetsFor(model, optimiser, {
          ...{ selection, train, objective, batchSize, seed, signal, onGains },
        }),
      );
      const { ledgerOnly = false } = config.trainables;
      storables = await storable(options.session.source, offsets.trainables);
      notes = [...assertStorable(storables, ledgerOnly), ...pairNotes(offsets.trainables)];
      ledger = stack.use(await LedgerFile.create(folder.ledger, headerOf(offsets)));
      begun?.made();
      // Of a run that is written over.
      eventFilesOf(folder.path).forEach(remove);
    }
    await writeFileWhole(folder.config, [
      new TextEncoder().encode(configToYaml(withAbsolutePaths(config), optimiser)),
    ]);
    const metrics = stack.use(await MetricsFile.open(folder.metrics, ledger.length));
    const events = config.log === undefined
      ? undefined
      : stack.use(await EventFile.create(folder.path, ledger.length, metrics.events));
    begun?.keep(true);
    return new Run(config, options, {
      optimiser,
      offsets,
      ledger,
      metrics,
      events,
      state,
      notes,
      storables,
      begun,
      owned: stack.move(),
    });
  }

  /**
   * Trains to the configured number of steps. Steps are on the disk before they are yielded; metrics follow them. Events
   * say what {@linkcode finetune} says; afterwards `offsets` may hold any step, so replay the ledger for a certain one.
   */
  async *train(signal?: AbortSignal): AsyncGenerator<TrainingEvent> {
    const { session: { model }, examples: { objective, train, validation } } = this.#options;
    const { config, metrics } = this;
    const { evaluateLimit = validation.examples.length } = config;
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
          batchSize: config.batchSize,
          steps: config.steps,
          seed: config.seed,
          leftOver: leftOverOf(this.ledger.head.header),
          evaluateEvery: config.evaluateEvery,
          patience: config.patience,
          lossesBefore: metrics.events.flatMap((it) => it.type === "evaluation" ? [it.loss] : []),
          activationBytes: config.device.activations * 2 ** 20,
          ledger: this.ledger,
          keepBest: false,
          onEvaluation: this.#options.onEvaluation,
          ...(this.#state ? { state: this.#state } : {}),
          ...(signal ? { signal } : {}),
        })
      ) {
        if (event.type !== "end") {
          const before = metrics.events.length;
          const kept = metrics.add(event);
          if (metrics.events.length > before) this.#events?.add(kept);
          // Of the whole run: the loop knows only this session's evaluations.
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
      if (!signal?.aborted && this.ledger.length === 0) this.#begun?.keep(false);
      throw error;
    } finally {
      metrics.flush();
      this.#events?.flush();
    }
  }

  /** The best evaluation so far, of this and earlier sessions. */
  get best(): EvaluationMetrics | undefined {
    return this.metrics.best;
  }

  /** Closes files, frees offsets. A run that was begun and failed before its first step leaves nothing. */
  [Symbol.dispose](): void {
    this.#owned.dispose();
  }
}

/** The files that a new run begins with: taken back when it fails before its first step, so that the next try finds the folder free. */
class BegunFiles implements Disposable {
  readonly #folder: RunFolder;
  readonly #hadFolder: boolean;
  #taken = false;
  #kept = false;

  constructor(folder: RunFolder) {
    this.#folder = folder;
    this.#hadFolder = existsSync(folder.path);
  }

  /** The ledger is this run's own. */
  made(): void {
    this.#taken = true;
  }

  /** Whether they are to stay. */
  keep(kept: boolean): void {
    this.#kept = kept;
  }

  [Symbol.dispose](): void {
    if (this.#kept) return;
    const { ledger, config, metrics, curve, path } = this.#folder;
    for (const file of this.#taken ? [ledger, config, metrics, curve] : []) remove(file);
    for (const file of this.#taken ? eventFilesOf(path) : []) remove(file);
    if (!this.#hadFolder) remove(path);
  }
}

function eventFilesOf(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).filter(isEventFile)
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/** Removes a file, or a folder that is empty. */
function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch { /* There is none, or it is not empty. */ }
}

function existsSync(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Says what to do about a model that has no scales, which the selection alone cannot know. */
function assertTrainable(
  { trainables: { kinds }, quantize }: TrainConfig,
  { source }: RunSession,
): void {
  const dense = [...source.tensors.values()].every(({ format }) => format.layout.kind === "dense");
  if (dense && kinds.every((kind) => kind === "scales")) {
    throw new RangeError(
      `Cannot train the scales of "${source.name}": ${
        quantize?.format === undefined
          ? "it is not quantised. Set quantize.format, for example to Q4_0, or"
          : `quantize.format ${quantize.format} fits none of its matrices, as the notes say. Choose a format with smaller blocks, or set`
      } trainables.kinds to dense`,
    );
  }
}

const METRICS_EVERY = 300;

/** Refuses to go on with other settings than those a ledger was begun with: it would no longer be one fine-tune. */
function assertResumable(
  { header: theirs }: Ledger,
  ours: LedgerHeader,
  path: string,
  config: TrainConfig,
): void {
  assertLedgerFits(theirs, ours.model, ours.trainables);
  for (const key of ["seed", "optimiser"] as const) {
    const [then, now] = [JSON.stringify(theirs[key]), JSON.stringify(ours[key])];
    if (then !== now) {
      throw new RangeError(
        `Cannot resume "${path}": it was begun with ${key} ${difference(theirs[key], ours[key])}`,
      );
    }
  }
  assertSameData(theirs.data, ours.data, { path, config });
}

/** The first difference of two JSON values, in words. */
function difference(then: JsonValue, now: JsonValue): string {
  if (isFields(then) && isFields(now)) {
    for (const key of new Set([...Object.keys(then), ...Object.keys(now)])) {
      if (JSON.stringify(then[key]) !== JSON.stringify(now[key])) {
        return `${key} ${difference(then[key] ?? null, now[key] ?? null)}`;
      }
    }
  }
  return `${JSON.stringify(then)}, not ${JSON.stringify(now)}`;
}

function isFields(value: JsonValue): value is Readonly<Record<string, JsonValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
