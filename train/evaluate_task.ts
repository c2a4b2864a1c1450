/**
 * What a task reports of a model: its loss, and its metrics from what the model chooses or writes.
 *
 * @module
 */
import type { OffsetSet } from "../kernels/mod.ts";
import type { Example } from "../models/batch.ts";
import { generate } from "../models/inference/generate.ts";
import type { Model } from "../models/inference/model.ts";
import { type MetricName, type Outcome, taskMetric } from "../tasks/metrics/task_metrics.ts";
import type { Reference } from "../tasks/reference.ts";
import { type Task, WRITTEN_TOKENS } from "../tasks/task.ts";
import { evaluate, type EvaluateOptions, type Evaluation } from "./evaluate.ts";

/** Of a task what its metrics depend on. */
export type JudgedTask = Pick<Task, "template" | "metrics" | "score" | "stop">;

/** Examples with what their metrics compare with. */
export interface JudgedExamples {
  /** In tokens. */
  readonly examples: readonly Example[];
  /** By example; absent where labels say it all. */
  readonly references?: readonly (Reference | undefined)[] | undefined;
}

/** How to evaluate a task. */
export interface EvaluateTaskOptions extends EvaluateOptions {
  /** What is asked. */
  readonly task: JudgedTask;
  /** Tokens of a written answer, at most. Default 50. */
  readonly maxTokens?: number;
  /** Called after each written answer with how many there are. */
  readonly onWritten?: (done: number, total: number) => void;
}

/** What an evaluation of a task found. */
export interface TaskEvaluation extends Evaluation {
  /** The task's metrics, the one that counts first. */
  readonly metrics: Readonly<Partial<Record<MetricName, number>>>;
  /** What the model wrote, by example; only where answers are written. */
  readonly texts?: readonly string[];
}

/** The metrics of a task, the one that counts first. */
export function metricsOf({ template, metrics }: JudgedTask): readonly MetricName[] {
  return metrics ?? (template.answer === undefined ? ["accuracy"] : ["f1", "exactMatch"]);
}

/**
 * Loss and metrics of a task's examples. Where answers are written, each is generated: the likeliest token each time, up to a line feed or what
 * the task's `stop` says, {@linkcode EvaluateTaskOptions.maxTokens} at most.
 *
 * @throws {RangeError} When there are no examples, or a loss is not finite
 *
 * @example Two reviews
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { loadModel, openModelSource } from "@qzo/qzo/models";
 * import { builtInTask, readTask, tokeniseExample } from "@qzo/qzo/tasks";
 * import { evaluateTask } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * const task = builtInTask("sst2");
 * const rows = readTask(task, "1 a stirring film\n0 a bore\n");
 * const examples = rows.map((row) => tokeniseExample(model.tokenizer!, row));
 * const found = await evaluateTask(model, { examples }, { task, objective: "classification" });
 * assertEquals(found.metrics.accuracy, found.accuracy?.accuracy);
 * ```
 */
export async function evaluateTask(
  model: Model,
  { examples, references }: JudgedExamples,
  { task, maxTokens, onWritten, ...options }: EvaluateTaskOptions,
): Promise<TaskEvaluation> {
  const evaluation = await evaluate(model, examples, { score: task.score, ...options });
  const names = metricsOf(task);
  const { offsets, signal } = options;
  const judged = { examples, references };
  const texts = task.template.answer === undefined
    ? undefined
    : await written(model, examples, { task, maxTokens, offsets, signal, onWritten });
  const outcomes = outcomesOf(model, judged, texts ?? evaluation.predictions);
  return {
    ...evaluation,
    metrics: Object.fromEntries(names.map((name) => [name, taskMetric(name, outcomes)])),
    ...(texts ? { texts } : {}),
  };
}

/** How to have answers written. */
export interface WriteAnswersOptions {
  /** What ends an answer. */
  readonly task: JudgedTask;
  /** Default 50. */
  readonly maxTokens?: number | undefined;
  /** A fine-tune. */
  readonly offsets?: OffsetSet | undefined;
  /** Stops before the next token. */
  readonly signal?: AbortSignal | undefined;
  /** Told how many there are. */
  readonly onWritten?: ((done: number, total: number) => void) | undefined;
}

/** What a model writes behind the prompts of examples, without white space around it. */
export async function written(
  model: Model,
  examples: readonly Example[],
  { task, maxTokens = WRITTEN_TOKENS, offsets, signal, onWritten }: WriteAnswersOptions,
): Promise<string[]> {
  const texts: string[] = [];
  for (const { prompt } of examples) {
    let text = "";
    const tokens = generate(model, prompt, {
      maxTokens,
      stop: task.stop ?? ["\n"],
      ...(offsets ? { offsets } : {}),
      ...(signal ? { signal } : {}),
    });
    for await (const token of tokens) text += token.text;
    texts.push(text.trim());
    onWritten?.(texts.length, examples.length);
  }
  return texts;
}

/** What became of examples, from the candidates that were chosen or the texts that were written. */
export function outcomesOf(
  { tokenizer }: Pick<Model, "tokenizer">,
  { examples, references }: JudgedExamples,
  found: readonly number[] | readonly string[],
): Outcome[] {
  return examples.map(({ candidates, label, right }, i) => {
    const one = found[i];
    const reference = references?.[i];
    const prediction = typeof one === "string" ? 0 : one;
    const text = typeof one === "string"
      ? one
      : reference?.texts?.[prediction] ?? tokenizer?.decode(candidates[prediction]).trim() ?? "";
    return { label, right, prediction, text, reference };
  });
}
