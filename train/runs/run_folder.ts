/**
 * The folder of a run: ledger, events, curve, configuration, tuned model.
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

/** Where the files of a run lie. */
export interface RunFolder {
  /** The folder itself. */
  readonly path: string;
  /** The fine-tune itself. */
  readonly ledger: string;
  /** Of a fine-tune by exact gradients, which the ledger does not replay: where it stands. */
  readonly state: string;
  /** The same at its best evaluation, offsets alone. */
  readonly best: string;
  /** One event a line, see {@linkcode RunEvent}. */
  readonly metrics: string;
  /** The losses as a picture. */
  readonly curve: string;
  /** What was run, complete. */
  readonly config: string;
  /** Its examples in tokens, kept for a session that goes on; of large data only. */
  readonly examples: string;
  /** The tuned model, where it was exported as one file. */
  readonly model: string;
  /** There while a process trains. */
  readonly lock: string;
}

/** The layout of a run's folder. */
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

/** Whether a file of this name in a run's folder is the run's own: written by training, resuming or exporting into it. */
export function isOfRun(name: string): boolean {
  return isEventFile(name) ||
    /^(run\.ledger(\.damaged(-\d+)?)?|run\.lock|(run|best)\.state|metrics\.jsonl|curve\.svg|config\.yaml|examples\.cache|tuned(\.gguf)?)$/
      .test(name);
}

/** A step in a run's metrics. */
export interface StepMetrics {
  /** What kind of line it is. */
  readonly type: "step";
  /** Counted from 1: steps done. */
  readonly step: number;
  /** In nats. */
  readonly loss: number;
  /** One a direction. */
  readonly derivatives: readonly number[];
  /** What multiplied the directions. */
  readonly coefficients: readonly number[];
  /** As the optimiser used it; undefined where it has none that is known, and in metrics from before 2026-12. */
  readonly learningRate?: number;
  /** As of the step, see {@linkcode StepPace}. */
  readonly tokensPerSecond: number;
  /** Seconds of training since the session's first step was done, evaluations not among them. */
  readonly seconds?: number;
  /** When it was told, ISO 8601 in UTC. */
  readonly time?: string;
}

/** An evaluation in a run's metrics. */
export interface EvaluationMetrics {
  /** What kind of line it is. */
  readonly type: "evaluation";
  /** Steps done before it. */
  readonly step: number;
  /** In nats. */
  readonly loss: number;
  /** Right predictions; only for classification. */
  readonly correct?: number;
  /** How many were evaluated. */
  readonly examples: number;
  /** Share of right predictions, 0 to 1; only for classification. */
  readonly accuracy?: number;
  /** Whether it was the best so far: of the lowest loss among those whose accuracy is within the 95 % interval of the highest one. */
  readonly best: boolean;
  /** How long it took. */
  readonly seconds?: number;
  /** When it was done, ISO 8601 in UTC. */
  readonly time?: string;
}

/** A line of a run's metrics. */
export type RunEvent = StepMetrics | EvaluationMetrics;

/** What is kept of a training event that was told at a time; now by default. */
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
 * Reads a run's metrics; an unfinished last line is dropped, a missing file has none.
 *
 * @throws {SyntaxError} When a line before it is no JSON
 * @throws {RangeError} When a value is out of bounds, such as a step below 0
 */
export async function readMetrics(path: string): Promise<RunEvent[]> {
  return (await readLines(path)).flatMap(({ event }) => event ?? []);
}

/** A line of metrics: an event, or of a kind that is not known here. */
interface MetricsLine {
  readonly text: string;
  readonly event: RunEvent | undefined;
}

/** Far above a step of 512 directions. */
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
      // What a run was writing when it was killed.
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

/** What the numbers of an event must be. */
const BOUNDS: Readonly<Record<string, { readonly most: number; readonly whole: boolean }>> = {
  step: { most: 2 ** 32, whole: true },
  examples: { most: Number.MAX_SAFE_INTEGER, whole: true },
  correct: { most: Number.MAX_SAFE_INTEGER, whole: true },
  accuracy: { most: 1, whole: false },
};

/** The event that a line says; undefined for what is none that is known here. */
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

/** The best evaluation, see {@linkcode BestSoFar}. */
export function bestEvaluation(events: readonly RunEvent[]): EvaluationMetrics | undefined {
  const looks = new BestSoFar<EvaluationMetrics>();
  for (const event of events) if (event.type === "evaluation") looks.add(event);
  return looks.best;
}

/** Metrics that grow with a run: kept in memory for curves and on disk for what comes after. */
export class MetricsFile implements Disposable {
  /** In order; grows. */
  readonly events: RunEvent[];
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #waiting = "";

  private constructor(path: string, events: RunEvent[], file: Deno.FsFile) {
    this.#path = path;
    this.events = events;
    this.#file = file;
  }

  /** Opens metrics to go on after `steps` steps; events beyond them are dropped, lines of other kinds stay. */
  static async open(path: string, steps: number): Promise<MetricsFile> {
    const kept = (await readLines(path)).filter(({ event }) => !event || event.step <= steps);
    const events = kept.flatMap(({ event }) => event ?? []);
    const lines = kept.map(({ text }) => `${text}\n`).join("");
    await writeFileWhole(path, [new TextEncoder().encode(lines)]);
    const writing = { what: "write the metrics", path };
    const file = await attempting(writing, () => Deno.open(path, { append: true }));
    return new MetricsFile(path, events, file);
  }

  /** Keeps an event and returns it; an evaluation that was made before the run was resumed is not kept twice. */
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

  /** Writes what was added since. */
  flush(): void {
    const bytes = new TextEncoder().encode(this.#waiting);
    this.#waiting = "";
    attemptingNow({ what: "write the metrics", path: this.#path }, () => {
      for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
    });
  }

  /** Writes the rest and closes the file. */
  [Symbol.dispose](): void {
    try {
      this.flush();
    } finally {
      this.#file.close();
    }
  }
}
