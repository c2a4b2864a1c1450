/**
 * The folder of a run: ledger, events, curve, configuration, tuned model.
 *
 * @module
 */
import { join } from "@std/path";
import { attempting, attemptingNow } from "../models/attempt.ts";
import { writeFileWhole } from "../models/file_source.ts";
import { readFileText } from "../models/read_file.ts";
import type { EvaluationEvent, StepEvent } from "./finetune.ts";

/** Where the files of a run lie. */
export interface RunFolder {
  /** The folder itself. */
  readonly path: string;
  /** The fine-tune itself. */
  readonly ledger: string;
  /** One event a line, see {@linkcode RunEvent}. */
  readonly metrics: string;
  /** The losses as a picture. */
  readonly curve: string;
  /** What was run, complete. */
  readonly config: string;
  /** The tuned model, where it was exported as one file. */
  readonly model: string;
}

/** The layout of a run's folder. */
export function runFolder(path: string): RunFolder {
  return {
    path,
    ledger: join(path, "run.ledger"),
    metrics: join(path, "metrics.jsonl"),
    curve: join(path, "curve.svg"),
    config: join(path, "config.yaml"),
    model: join(path, "tuned.gguf"),
  };
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
  /** Of the chunk that the step was in. */
  readonly tokensPerSecond: number;
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
  /** Whether it was the best so far: highest accuracy, then lowest loss. */
  readonly best: boolean;
}

/** A line of a run's metrics. */
export type RunEvent = StepMetrics | EvaluationMetrics;

/** What is kept of a training event. */
export function runEvent(event: StepEvent | EvaluationEvent): RunEvent {
  if (event.type === "step") {
    const { type, step, loss, derivatives, coefficients, tokensPerSecond } = event;
    return { type, step, loss, derivatives, coefficients, tokensPerSecond };
  }
  const { type, step, best, evaluation: { loss, accuracy, examples } } = event;
  const found = accuracy && { correct: accuracy.correct, accuracy: accuracy.accuracy };
  return { type, step, loss, ...found, examples, best };
}

/** Reads a run's metrics; a torn last line is dropped, a missing file has none. */
export async function readMetrics(path: string): Promise<RunEvent[]> {
  let text: string;
  try {
    text = await readFileText(path, "metrics");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  const events: RunEvent[] = [];
  for (const line of text.split("\n")) {
    const event = parseEvent(line);
    if (event) events.push(event);
  }
  return events;
}

function parseEvent(line: string): RunEvent | undefined {
  try {
    const value = JSON.parse(line);
    const known = (value?.type === "step" || value?.type === "evaluation") &&
      Number.isSafeInteger(value.step) && typeof value.loss === "number";
    return known ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The best evaluation: highest accuracy, then lowest loss, then the earliest. */
export function bestEvaluation(events: readonly RunEvent[]): EvaluationMetrics | undefined {
  let best: EvaluationMetrics | undefined;
  for (const event of events) {
    if (event.type === "evaluation" && (best === undefined || isBetter(event, best))) best = event;
  }
  return best;
}

function isBetter(a: EvaluationMetrics, b: EvaluationMetrics): boolean {
  const difference = (a.correct ?? 0) - (b.correct ?? 0);
  return difference > 0 || difference === 0 && a.loss < b.loss;
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

  /** Opens metrics to go on after `steps` steps; what lies beyond them is dropped. */
  static async open(path: string, steps: number): Promise<MetricsFile> {
    const events = (await readMetrics(path)).filter((event) => event.step <= steps);
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join("");
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
    const best = bestEvaluation(this.events);
    const kept = line.type === "evaluation"
      ? { ...line, best: best === undefined || isBetter(line, best) }
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
