/**
 * The folder of a run: ledger, events, curve, configuration and tuned model.
 *
 * @module
 */
import { join } from "@std/path";
import { attempting, attemptingNow } from "../../models/checkpoints/disk/attempt.ts";
import { writeFileWhole } from "../../models/checkpoints/disk/files.ts";
import { readFileText } from "../../models/checkpoints/disk/read_file.ts";
import { statePaths } from "../ledgers/fine_tune_file.ts";
import { isEventFile } from "./event_file_name.ts";
import { BestSoFar } from "../steps/best_so_far.ts";
import type { EvaluationEvent, StepEvent } from "../steps/training_events.ts";

/** Paths of the files of a run. */
export interface RunFolder {
  /** The folder. */
  readonly path: string;
  /** The ledger of the fine-tune. */
  readonly ledger: string;
  /** The current state of a fine-tune by exact gradients, which the ledger cannot replay. */
  readonly state: string;
  /** The offsets at its best evaluation. */
  readonly best: string;
  /** One event per line; see {@linkcode RunEvent}. */
  readonly metrics: string;
  /** A picture of the losses. */
  readonly curve: string;
  /** The complete configuration. */
  readonly config: string;
  /** The examples in tokens, kept for resuming. Only for large data. */
  readonly examples: string;
  /** The tuned model, if it was exported as one file. */
  readonly model: string;
  /** Exists while a process is training. */
  readonly lock: string;
}

/**
 * The layout of a run's folder.
 *
 * @example The ledger and the metrics
 * ```ts
 * import { runFolder } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const { ledger, metrics } = runFolder("runs/a");
 * assertEquals([ledger, metrics], ["runs/a/run.ledger", "runs/a/metrics.jsonl"]);
 * ```
 */
export function runFolder(path: string): RunFolder {
  const ledger = join(path, "run.ledger");
  const states = statePaths(ledger);
  return {
    path,
    ledger,
    state: states.last,
    best: states.best,
    metrics: join(path, "metrics.jsonl"),
    curve: join(path, "curve.svg"),
    config: join(path, "config.yaml"),
    examples: join(path, "examples.cache"),
    model: join(path, "tuned.gguf"),
    lock: join(path, "run.lock"),
  };
}

/** Whether a file with this name in a run's folder belongs to the run: it is written by training, resuming or exporting. */
export function isOfRun(name: string): boolean {
  return isEventFile(name) ||
    /^(run\.ledger(\.damaged(-\d+)?)?|run\.lock|(run|best)\.state|metrics\.jsonl|curve\.svg|config\.yaml|examples\.cache|tuned(\.gguf)?)$/
      .test(name);
}

/** A step in a run's metrics. */
export interface StepMetrics {
  /** Kind of the line. */
  readonly type: "step";
  /** Number of steps done. */
  readonly step: number;
  /** Loss in nats. */
  readonly loss: number;
  /** One derivative per direction. */
  readonly derivatives: readonly number[];
  /** The factors of the directions. */
  readonly coefficients: readonly number[];
  /** The learning rate that the optimiser used. Undefined if none is known, and in metrics from before 2026-12. */
  readonly learningRate?: number;
  /** Pace as of this step; see {@linkcode StepPace}. */
  readonly tokensPerSecond: number;
  /** Seconds of training since the session's first step was done, without evaluations. */
  readonly seconds?: number;
  /** Time of the event, ISO 8601 in UTC. */
  readonly time?: string;
}

/** An evaluation in a run's metrics. */
export interface EvaluationMetrics {
  /** Kind of the line. */
  readonly type: "evaluation";
  /** Number of steps before the evaluation. */
  readonly step: number;
  /** Loss in nats. */
  readonly loss: number;
  /** Number of correct predictions. Only for classification. */
  readonly correct?: number;
  /** Number of examples. */
  readonly examples: number;
  /** Accuracy from 0 to 1. Only for classification. */
  readonly accuracy?: number;
  /** Whether it was the best so far: the lowest loss among those whose accuracy is within the 95 % confidence interval of the highest accuracy. */
  readonly best: boolean;
  /** Duration in seconds. */
  readonly seconds?: number;
  /** Time of the event, ISO 8601 in UTC. */
  readonly time?: string;
}

/** A line of a run's metrics. */
export type RunEvent = StepMetrics | EvaluationMetrics;

/** The line stored for a training event. `at` is the time of the event, by default now. */
export function runEvent(event: StepEvent | EvaluationEvent, at: Date = new Date()): RunEvent {
  const time = at.toISOString();
  if (event.type === "step") {
    const { type, step, loss, derivatives, coefficients, learningRate, tokensPerSecond, seconds } =
      event;
    return {
      ...{ type, step, loss, derivatives, coefficients },
      ...(learningRate === undefined ? {} : { learningRate }),
      ...{ tokensPerSecond, seconds, time },
    };
  }
  const { type, step, best, seconds, evaluation: { loss, accuracy, examples } } = event;
  const found = accuracy && { correct: accuracy.correct, accuracy: accuracy.accuracy };
  return { type, step, loss, ...found, examples, best, seconds, time };
}

/**
 * Reads a run's metrics. An incomplete last line is dropped; a missing file has no events.
 *
 * @throws {SyntaxError} when an earlier line is not JSON.
 * @throws {RangeError} when a value is out of range, such as a step below 0.
 *
 * @example A run without metrics
 * ```ts
 * import { readMetrics } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await readMetrics("runs/no-such-run/metrics.jsonl"), []);
 * ```
 */
export async function readMetrics(path: string): Promise<RunEvent[]> {
  return (await readLines(path)).flatMap(({ event }) => event ?? []);
}

/** A line of metrics: an event, or a kind that this version does not know. */
interface MetricsLine {
  readonly text: string;
  readonly event: RunEvent | undefined;
}

/** Far longer than a step with 512 directions. */
const LONGEST_LINE = 2 ** 20;

async function readLines(path: string): Promise<MetricsLine[]> {
  let text: string;
  try {
    text = await readFileText(path, "metrics");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  const lines = text.split("\n");
  return lines.flatMap((text, i) => {
    if (text.trim() === "") return [];
    try {
      if (text.length > LONGEST_LINE) throw new RangeError(`it has ${text.length} characters`);
      return [{ text, event: eventOf(JSON.parse(text)) }];
    } catch (error) {
      // The line that was being written when the run was killed.
      if (error instanceof SyntaxError && i === lines.length - 1) return [];
      const Class = error instanceof RangeError ? RangeError : SyntaxError;
      throw new Class(
        `Cannot read the metrics "${path}", line ${i + 1}: ${
          (error as Error).message
        }. Fix or remove the line, or name a step with --step`,
      );
    }
  });
}

type Fields = Readonly<Record<string, unknown>>;

/** Limits of the numbers in an event. */
const BOUNDS: Readonly<Record<string, { readonly most: number; readonly whole: boolean }>> = {
  step: { most: 2 ** 32, whole: true },
  examples: { most: Number.MAX_SAFE_INTEGER, whole: true },
  correct: { most: Number.MAX_SAFE_INTEGER, whole: true },
  accuracy: { most: 1, whole: false },
};

/** The event in a line. Undefined if this version does not know its kind. */
function eventOf(value: unknown): RunEvent | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const from = value as Fields;
  const known = from.type === "step" || from.type === "evaluation";
  if (!known || typeof from.loss !== "number") return undefined;
  for (const [key, { most, whole }] of Object.entries(BOUNDS)) {
    const number = from[key];
    if (number === undefined && key !== "step") continue;
    const fits = typeof number === "number" && number >= 0 && number <= most &&
      (!whole || Number.isInteger(number));
    if (!fits) {
      throw new RangeError(
        `its ${key} is ${JSON.stringify(number)}, not ${
          whole ? "an integer" : "a number"
        } from 0 to ${most}`,
      );
    }
  }
  return value as RunEvent;
}

/** The best evaluation; see {@linkcode BestSoFar}. */
export function bestEvaluation(events: readonly RunEvent[]): EvaluationMetrics | undefined {
  const looks = new BestSoFar<EvaluationMetrics>();
  for (const event of events) if (event.type === "evaluation") looks.add(event);
  return looks.best;
}

/**
 * Metrics that grow during a run, in memory for curves and on disk.
 *
 * @example A step, written and read again
 * ```ts
 * import { MetricsFile, readMetrics } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ suffix: ".jsonl" });
 * const found = { loss: 0.6, losses: [0.7, 0.5], derivatives: [5], coefficients: [-0.1] };
 * const pace = { seconds: 0.1, millisecondsPerStep: 100, tokensPerSecond: 900 };
 * {
 *   using metrics = await MetricsFile.open(path, 0);
 *   metrics.add({ type: "step", step: 1, ...found, ...pace });
 * }
 * assertEquals((await readMetrics(path)).map(({ step }) => step), [1]);
 * await Deno.remove(path);
 * ```
 */
export class MetricsFile implements Disposable {
  /** All events in order. Grows during the run. */
  readonly events: RunEvent[];
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #waiting = "";

  private constructor(path: string, events: RunEvent[], file: Deno.FsFile) {
    this.#path = path;
    this.events = events;
    this.#file = file;
  }

  /** Opens metrics to continue after `steps` steps. Later events are dropped; lines of unknown kinds are kept. */
  static async open(path: string, steps: number): Promise<MetricsFile> {
    const kept = (await readLines(path)).filter(({ event }) => !event || event.step <= steps);
    const events = kept.flatMap(({ event }) => event ?? []);
    const lines = kept.map(({ text }) => `${text}\n`).join("");
    await writeFileWhole(path, [new TextEncoder().encode(lines)]);
    const writing = { what: "write the metrics", path };
    const file = await attempting(writing, () => Deno.open(path, { append: true }));
    return new MetricsFile(path, events, file);
  }

  /** Adds an event and returns its line. An evaluation that was already made before the run was resumed is not added again. */
  add(event: StepEvent | EvaluationEvent): RunEvent {
    const line = runEvent(event);
    const repeated = line.type === "evaluation" &&
      this.events.find((it) => it.type === "evaluation" && it.step === line.step);
    if (repeated) return repeated;
    // A resumed run does not know what was best before.
    const kept = line.type === "evaluation"
      ? { ...line, best: bestEvaluation([...this.events, line]) === line }
      : line;
    this.events.push(kept);
    this.#waiting += `${JSON.stringify(kept)}\n`;
    return kept;
  }

  /** The best evaluation so far. */
  get best(): EvaluationMetrics | undefined {
    return bestEvaluation(this.events);
  }

  /** Writes the events added since the last call. */
  flush(): void {
    const bytes = new TextEncoder().encode(this.#waiting);
    this.#waiting = "";
    attemptingNow({ what: "write the metrics", path: this.#path }, () => {
      for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
    });
  }

  /** Writes the remaining events and closes the file. */
  [Symbol.dispose](): void {
    try {
      this.flush();
    } finally {
      this.#file.close();
    }
  }
}
