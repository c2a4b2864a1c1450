/**
 * Evaluates a task: its loss, and its metrics from the candidates that the model chooses or the text that it writes.
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

/** The properties of a task that its metrics depend on. */
export type JudgedTask = Pick<Task, "template" | "metrics" | "score" | "stop">;

/** Examples with the references for their metrics. */
export interface JudgedExamples {
  /** Examples in tokens. */
  readonly examples: readonly Example[];
  /** References by example. Absent if labels are sufficient. */
  readonly references?: readonly (Reference | undefined)[] | undefined;
}

/** Options for evaluating a task. */
export interface EvaluateTaskOptions extends EvaluateOptions {
  /** The task. */
  readonly task: JudgedTask;
  /** The most tokens per generated answer. Default 50. */
  readonly maxTokens?: number;
  /** Called after each generated answer with the number of answers. */
  readonly onWritten?: (done: number, total: number) => void;
}

/** The result of evaluating a task. */
export interface TaskEvaluation extends Evaluation {
  /** The task's metrics, the main one first. */
  readonly metrics: Readonly<Partial<Record<MetricName, number>>>;
  /** The text that the model wrote, by example. Only for tasks with generated answers. */
  readonly texts?: readonly string[];
}

/**
 * The metrics of a task, the main one first.
 *
 * @example A task with labels
 * ```ts
 * import { builtInTask } from "@qzo/qzo/tasks";
 * import { metricsOf } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(metricsOf(builtInTask("sst2")), ["accuracy"]);
 * ```
 */
export function metricsOf({ template, metrics }: JudgedTask): readonly MetricName[] {
  return metrics ?? (template.answer === undefined ? ["accuracy"] : ["f1", "exactMatch"]);
}

/**
 * Computes loss and metrics of a task's examples. If answers are written, each is generated greedily, up to a line feed or the task's `stop`,
 * and at most {@linkcode EvaluateTaskOptions.maxTokens} tokens.
 *
 * @throws {RangeError} when there are no examples, or a loss is not finite.
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

/** Options for generating answers. */
export interface WriteAnswersOptions {
  /** The task, which determines what ends an answer. */
  readonly task: JudgedTask;
  /** The most tokens per answer. Default 50. */
  readonly maxTokens?: number | undefined;
  /** Offsets of a fine-tune. Default: none. */
  readonly offsets?: OffsetSet | undefined;
  /** Aborts before the next token. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of answers so far. */
  readonly onWritten?: ((done: number, total: number) => void) | undefined;
}

/** What a model writes after the prompts of examples, without surrounding white space. */
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

/** The outcomes of examples, from the candidates that were chosen or the texts that were written. */
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
