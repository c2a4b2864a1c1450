/**
 * The table of built-in tasks. Their prompts for left-to-right models are those of MeZO, which QZO uses too. A name with a slash selects another
 * source of prompts:
 * - `sst2/harness`: lm-evaluation-harness, for comparison with its results;
 * - `boolq/zo-llm`: ZO-Bench, where it differs from MeZO;
 * - `sst2/bare`: no words around the example, which ZO-Bench uses to measure the effect of such words.
 *
 * Results with different prompts cannot be compared.
 *
 * @module
 */
import { boolqTasks } from "./built_in/boolq.ts";
import { copaTasks } from "./built_in/copa.ts";
import { inferenceTasks } from "./built_in/inference.ts";
import { multircTasks } from "./built_in/multirc.ts";
import { readingTasks } from "./built_in/reading.ts";
import { recordTasks } from "./built_in/record.ts";
import { sentimentTasks } from "./built_in/sentiment.ts";
import { trecTasks } from "./built_in/trec.ts";
import { winograndeTasks } from "./built_in/winogrande.ts";
import { wordSenseTasks } from "./built_in/word_sense.ts";
import type { Task } from "./task.ts";

/** The built-in tasks. */
export const builtInTasks: readonly Task[] = [
  ...sentimentTasks,
  ...trecTasks,
  ...inferenceTasks,
  ...boolqTasks,
  ...wordSenseTasks,
  ...multircTasks,
  ...copaTasks,
  ...recordTasks,
  ...readingTasks,
  ...winograndeTasks,
];

/**
 * The built-in task with this name.
 *
 * @param name Name of the task; case is ignored. With a slash for other prompts, see {@linkcode builtInTasks}.
 * @throws {RangeError} listing the known names.
 *
 * @example A task and an unknown one
 * ```ts
 * import { builtInTask } from "@qzo/qzo/tasks";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(builtInTask("rte").template.labels, { entailment: "Yes", not_entailment: "No" });
 * assertEquals(builtInTask("rte/harness").template.labels?.entailment, " True");
 * assertThrows(() => builtInTask("sst3"), RangeError, "expected one of sst2");
 * ```
 */
export function builtInTask(name: string): Task {
  const task = builtInTasks.find((candidate) => candidate.name === name.toLowerCase());
  if (task !== undefined) return task;
  const names = builtInTasks.map((candidate) => candidate.name);
  const [own] = name.toLowerCase().split("/");
  const others = names.filter((it) => it === own || it.startsWith(`${own}/`));
  const known = others.length > 0 ? others : names.filter((it) => !it.includes("/"));
  throw new RangeError(
    `Cannot find task ${JSON.stringify(name)}; expected one of ${known.join(", ")}`,
  );
}
