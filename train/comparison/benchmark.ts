/**
 * Runs a comparison of optimisers. Every run is a fine-tune with its own folder, so an interrupted comparison continues where it stopped.
 *
 * @module
 */
import { sightOf } from "../../models/architectures.ts";
import { noTokenizer } from "../../models/checkpoints/disk/no_tokenizer.ts";
import { basename, join } from "@std/path";
import { writeFileWhole } from "../../models/checkpoints/disk/files.ts";
import { readJsonFile } from "../../models/checkpoints/disk/read_file.ts";
import { gainForwards } from "../probes/gains.ts";
import { openModelSource } from "../../models/checkpoints/open.ts";
import { planOffsets } from "../selection.ts";
import { writeModel } from "../../models/checkpoints/write_checkpoint.ts";
import { NonFiniteLossError } from "../../optim/mod.ts";
import type { Benchmark, BenchmarkJob } from "./benchmark_config.ts";
import { optimiserOfConfig } from "../config/optimiser.ts";
import type { TrainConfig } from "../config/schema.ts";
import { Run } from "../runs/run.ts";
import type { StepPace } from "../steps/pace.ts";
import { readMetrics, runFolder } from "../runs/run_folder.ts";
import {
  configuredAdapter,
  configuredSource,
  openRunSession,
  type RunSession,
  selectionOfConfig,
} from "../runs/session.ts";
import { type TaskExamples, taskExamples } from "../runs/task_examples.ts";

/** A held-out evaluation of a run. */
export interface BenchmarkPoint {
  /** Number of forward passes before the evaluation. */
  readonly forwards: number;
  /** Loss in nats. */
  readonly loss: number;
  /** Accuracy from 0 to 1. Only for classification. */
  readonly accuracy?: number;
}

/** The result of a run. */
export interface BenchmarkResult {
  /** The run. */
  readonly job: BenchmarkJob;
  /** Held-out evaluations. The first is that of the base model, and the last follows the last step. */
  readonly points: readonly BenchmarkPoint[];
  /** Wall time of the steps and their evaluations, in minutes. */
  readonly minutes: number;
  /** Whether the run stopped at a loss that was not finite. */
  readonly diverged: boolean;
}

/** The events of `runBenchmark`. */
export type BenchmarkEvent =
  | {
    /** Kind of the event. */
    readonly type: "step";
    /** The run. */
    readonly job: BenchmarkJob;
    /** Number of steps done. */
    readonly step: number;
    /** Training loss. */
    readonly loss: number;
    /** Pace as of this step. */
    readonly pace: StepPace;
  }
  | {
    /** Kind of the event. */
    readonly type: "result";
    /** Result of a finished run. */
    readonly result: BenchmarkResult;
    /** Whether the run had finished before this call. */
    readonly known: boolean;
  };

interface Stored {
  readonly minutes: number;
  readonly diverged: boolean;
  /** How the run's forward passes were spent. Absent in results of older versions. */
  readonly spent?: Spent;
}

/** How the forward passes of a run were spent. */
interface Spent extends Pick<TrainConfig, "steps" | "evaluateEvery"> {
  /** Forward passes before the first step. */
  readonly forwardsBefore: number;
}

/** The number of steps of a job that remain after paying for the forward passes before the first step, with the same number of evaluations. */
function spentOn({ config }: BenchmarkJob, { model, gpu }: RunSession): Spent {
  const optimiser = optimiserOfConfig(config);
  const { trainables } = planOffsets(
    model,
    optimiser,
    gpu.maxBinding,
    selectionOfConfig(config),
  );
  const forwardsBefore = gainForwards(optimiser, trainables.length);
  const paid = Math.round(forwardsBefore / optimiser.evaluations);
  const steps = Math.max(1, config.steps - paid);
  const evaluateEvery = Math.ceil(steps / Math.ceil(config.steps / config.evaluateEvery));
  return { steps, evaluateEvery, forwardsBefore };
}

function storedPath({ config }: BenchmarkJob): string {
  return join(config.output, "result.json");
}

/** The result of a run that has finished, from its folder. Undefined if it has not. */
export async function benchmarkResult(job: BenchmarkJob): Promise<BenchmarkResult | undefined> {
  const stored = await readJsonFile(storedPath(job), "settings", { optional: true }) as
    | Stored
    | undefined;
  if (stored === undefined) return undefined;
  const events = await readMetrics(runFolder(job.config.output).metrics);
  const perStep = optimiserOfConfig(job.config).evaluations;
  const { evaluateEvery, steps, forwardsBefore } = stored.spent ??
    { ...job.config, forwardsBefore: 0 };
  const evaluations = events.filter((event) => event.type === "evaluation");
  // A resumed run was also evaluated at the step where it had stopped.
  const points = evaluations.filter(({ step }) => step % evaluateEvery === 0 || step === steps).map(
    (event) => ({
      forwards: event.step === 0 ? 0 : forwardsBefore + event.step * perStep,
      loss: event.loss,
      ...(event.accuracy === undefined ? {} : { accuracy: event.accuracy }),
    }),
  );
  const { minutes, diverged } = stored;
  return { job, points, minutes, diverged };
}

/** The final held-out loss of a run. Infinite if it diverged. */
export function finalLoss({ points, diverged }: BenchmarkResult): number {
  return diverged ? Infinity : points.at(-1)?.loss ?? Infinity;
}

/** The learning rate with the lowest final held-out loss. */
function bestRate(trials: readonly BenchmarkResult[]): number | undefined {
  return trials.reduce((best, trial) => finalLoss(trial) < finalLoss(best) ? trial : best)
    .job.learningRate;
}

/**
 * The same job with a model that was quantised once, in the comparison's folder, because quantising to codebooks takes minutes. The tokenizer of
 * a GGUF file cannot be stored in a folder, so such a model is quantised each time it is loaded.
 */
async function quantisedOnce(
  config: TrainConfig,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<TrainConfig> {
  const { format } = config.quantize;
  if (format === undefined) return config;
  const model = join(folder, "models", `${basename(config.model)}-${format}`);
  if (!await Deno.stat(join(model, "config.json")).then(() => true, () => false)) {
    using stored = await openModelSource(config.model);
    if (!stored.tokenizerFiles) return config;
    await writeModel(
      await configuredSource(stored, config, signal),
      model,
      signal ? { signal } : {},
    );
  }
  return { ...config, model, quantize: {} };
}

async function* runJob(
  job: BenchmarkJob,
  session: RunSession,
  examples: TaskExamples,
  signal: AbortSignal | undefined,
): AsyncGenerator<BenchmarkEvent> {
  const { ledger } = runFolder(job.config.output);
  const resume = await Deno.stat(ledger).then(() => true, () => false);
  const spent = spentOn(job, session);
  let diverged = false;
  const begun = performance.now();
  {
    const { steps, evaluateEvery } = spent;
    const config = { ...job.config, steps, evaluateEvery };
    using run = await (resume ? Run.resume : Run.begin)(config, { session, examples });
    try {
      for await (const event of run.train(signal)) {
        if (event.type === "step") {
          const { step, loss } = event;
          yield { type: "step", job: { ...job, config }, step, loss, pace: event };
        } else if (event.type === "end" && event.reason === "aborted") return;
      }
    } catch (error) {
      if (!(error instanceof NonFiniteLossError)) throw error;
      diverged = true;
    }
  }
  const minutes = (performance.now() - begun) / 60_000;
  const stored: Stored = { minutes, diverged, spent };
  // A run that diverged at its first step left no folder.
  await Deno.mkdir(job.config.output, { recursive: true });
  await writeFileWhole(storedPath(job), [new TextEncoder().encode(JSON.stringify(stored))]);
}

/**
 * Runs what has not been done yet: for every case and optimiser, each learning rate with seed 0, then the best of these with seeds from 1.
 *
 * @throws Any error of loading, reading examples and training. Runs that have finished are kept.
 *
 * @example One optimiser, four forward passes
 * ```ts
 * import { parseBenchmark, runBenchmark } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const output = await Deno.makeTempDir();
 * const benchmark = parseBenchmark(`
 * output: ${output}
 * forwards: 4
 * evaluations: 1
 * seeds: 0
 * optimisers: {qzo: {name: qzoNormalised}}
 * cases:
 *   reviews:
 *     model: demo/model.gguf
 *     quantize: {format: Q4_0}
 *     task: {name: reviews, template: "{sentence} It was{label}", labels: {"0": " terrible", "1": " great"}}
 *     data: {folder: demo, train: reviews_train.jsonl, validation: reviews_test.jsonl, validation_limit: 8}
 * `, "a.yaml");
 * for await (const event of runBenchmark(benchmark)) {
 *   if (event.type !== "result") continue;
 *   assertEquals(event.result.points.map(({ forwards }) => forwards), [0, 4]);
 * }
 * await Deno.remove(output, { recursive: true });
 * ```
 */
export async function* runBenchmark(
  benchmark: Benchmark,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<BenchmarkEvent> {
  for (const name of benchmark.cases) {
    using opened = new OpenedCase(benchmark.output, signal);
    const run = async function* (job: BenchmarkJob): AsyncGenerator<BenchmarkEvent> {
      const known = await benchmarkResult(job);
      if (!known) yield* runJob(job, ...await opened.open(job.config), signal);
      const result = known ?? await benchmarkResult(job);
      if (result) yield { type: "result", result, known: known !== undefined };
    };
    for (const optimiser of benchmark.optimisers) {
      const rates = benchmark.learningRates(optimiser);
      const trials: BenchmarkResult[] = [];
      for (const learningRate of rates.length > 0 ? rates : [undefined]) {
        for await (
          const event of run(benchmark.job({ case: name, optimiser, learningRate, seed: 0 }))
        ) {
          if (event.type === "result") trials.push(event.result);
          yield event;
        }
        if (signal?.aborted) return;
      }
      const learningRate = bestRate(trials);
      for (let seed = 1; seed <= benchmark.seeds; seed++) {
        yield* run(benchmark.job({ case: name, optimiser, learningRate, seed }));
        if (signal?.aborted) return;
      }
    }
  }
}

/** The device, model and examples of a case, opened when its first run needs them. */
class OpenedCase implements Disposable {
  readonly #folder: string;
  readonly #signal: AbortSignal | undefined;
  #opened:
    | { readonly session: RunSession; readonly examples: Map<number, TaskExamples> }
    | undefined;

  constructor(folder: string, signal: AbortSignal | undefined) {
    this.#folder = folder;
    this.#signal = signal;
  }

  async open(config: TrainConfig): Promise<[RunSession, TaskExamples]> {
    const signal = this.#signal;
    this.#opened ??= {
      session: await openRunSession(
        await quantisedOnce(config, this.#folder, signal),
        {
          beside: (model, given) => configuredAdapter(config, model, given),
          ...signal ? { signal } : {},
        },
      ),
      examples: new Map(),
    };
    const { session, examples } = this.#opened;
    const { tokenizer, maxPositions } = session.model;
    if (!tokenizer) throw noTokenizer(session.source.name);
    // A limited training set is drawn by the run's seed.
    let found = examples.get(config.seed);
    if (!found) {
      examples.set(
        config.seed,
        found = await taskExamples(config, tokenizer, {
          maxPositions,
          sees: sightOf(session.model.config),
          signal,
        }),
      );
    }
    return [session, found];
  }

  [Symbol.dispose](): void {
    this.#opened?.session[Symbol.dispose]();
  }
}
