/**
 * Results of a run, as rows to print.
 *
 * @module
 */
import {
  evaluate,
  type Evaluation,
  type FineTune,
  offsetsAfter,
  type RunSession,
  type TaskExamples,
  type TrainConfig,
} from "../train/mod.ts";
import { compareEvaluations } from "../train/evaluate.ts";
import { judgedBy } from "../train/runs/task_examples.ts";
import { grouped } from "../show/terminal.ts";
import type { Call } from "./command.ts";
import { chosenRows, type Looks } from "./looks.ts";
import { evaluationText, gainText } from "./report.ts";
import { evaluationStatus } from "./tuned.ts";

/** The size of a file, as text. */
export async function bytesOf(path: string): Promise<string> {
  return `${grouped((await Deno.stat(path)).size)} bytes`;
}

/** Rows for the state files, which hold the offsets of a run with exact gradients. */
export async function stateRows({ states = [] }: FineTune): Promise<[string, string][]> {
  const rows = states.map(async ({ path, step }): Promise<[string, string]> => [
    "state",
    `${path}, step ${step}, ${await bytesOf(path)}`,
  ]);
  return await Promise.all(rows);
}

/**
 * The result of the chosen step on the task's test examples, if these are asked for. Otherwise the result of the last step on the held-out examples:
 * the last step was not selected by them, whereas the best of many evaluations on them would say nothing about the gain.
 */
export async function resultRows(
  call: Call,
  config: TrainConfig,
  { model }: RunSession,
  examples: TaskExamples,
  { seen, looks, tune }: { readonly seen: Seen; readonly looks: Looks; readonly tune: FineTune },
): Promise<[string, string][]> {
  const { terminal, signal } = call;
  const { validation, test } = examples;
  const total = tune.length;
  const chosen = looks.best?.step ?? total;
  // A task's own test file takes minutes on a slow device, so it is used only on request.
  const { task: { protocol }, data, batchSize } = config;
  const asked = [protocol, data.test, data.testLimit];
  const tested = asked.some((it) => it !== undefined) ? test : undefined;
  const name = tested ? "test" : "held-out";
  const set = (tested ?? validation).examples;
  const rows: [string, string][] = [];
  if (set.length > 0) {
    const limited = (config.evaluateLimit ?? Infinity) < validation.examples.length;
    const progress = evaluationStatus(terminal, `${name} examples`);
    const objective = judgedBy(examples);
    const settings = { objective, batchSize, signal, onProgress: progress.onProgress };
    const at = async (steps: number): Promise<Evaluation> => {
      using offsets = await offsetsAfter(model, tune, { steps, signal });
      offsets.freeMoments();
      return await evaluate(model, set, { ...settings, offsets });
    };
    // Evaluations that this session already made on these examples are reused.
    const known = tested || limited ? {} : seen;
    const before = known.first ?? await evaluate(model, set, settings);
    const steps = tested ? chosen : total;
    const after = known.last ?? await at(steps);
    progress.clear();
    const { loss, accuracy } = compareEvaluations(before, after, set);
    rows.push(
      [`${name} before`, evaluationText(before)],
      [`${name} after`, `${evaluationText(after)}  (${gainText(loss, accuracy)})`],
      [
        "result",
        `step ${steps} of ${total}, ${
          tested ? "chosen by other examples" : "the last one, not chosen by these examples"
        }`,
      ],
    );
  }
  return [...rows, ...chosenRows(looks, total, !tested)];
}

/** Evaluations that this session made of the base model and of the last step, on all held-out examples. */
export interface Seen {
  readonly first?: Evaluation;
  readonly last?: Evaluation;
}
