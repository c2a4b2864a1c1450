/**
 * Loads the examples of a task as a model's tokens.
 *
 * @module
 */
import { assertOptions, count, countOrNone } from "../optim/options.ts";
import type { Example } from "../models/batch.ts";
import type { Tokenizer } from "../models/tokenizers/tokenizer.ts";
import { loadTask, type TaskRowsOptions } from "./files.ts";
import { builtInTask } from "./registry.ts";
import { type Split, type Task, taskFor } from "./task.ts";
import { tokeniseExample, type TokeniseOptions } from "./tokenise.ts";

/** Options of {@linkcode loadExamples}: how files are read, and where long examples are truncated. */
export interface LoadExamplesOptions extends TaskRowsOptions, TokeniseOptions {}

/**
 * The tokenised examples of a task's split: {@linkcode loadTask}, then {@linkcode tokeniseExample} for each.
 *
 * @param tokenizer Tokenizer of the model.
 * @param task A task, or the name of a built-in one.
 * @param folder Folder of the task's files.
 * @throws {TypeError} when there is no tokenizer.
 * @throws {RangeError} for an unknown task, a split that it does not have, or an example that cannot be tokenised.
 *
 * @example Two rows of a custom task
 * ```ts
 * import { loadExamples } from "@qzo/qzo/tasks";
 * import { tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = tokenizerFromJson({
 *   model: { type: "BPE", vocab: { a: 0, b: 1, c: 2 }, merges: [] },
 * });
 * const template = { name: "letters", prompt: "{text}", labels: { "0": "b", "1": "c" } };
 * const folder = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${folder}/rows.jsonl`, '{"text": "a", "label": 1}\n{"text": "ab", "label": 0}\n');
 * const task = { name: "letters", template, format: "jsonl", files: { train: "rows.jsonl" } } as const;
 * assertEquals(await loadExamples(tokenizer, task, "train", folder), [
 *   { prompt: [0], candidates: [[1], [2]], label: 1 },
 *   { prompt: [0, 1], candidates: [[1], [2]], label: 0 },
 * ]);
 * ```
 */
export async function loadExamples(
  tokenizer: Tokenizer | undefined,
  task: Task | string,
  split: Split,
  folder: string,
  options: LoadExamplesOptions = {},
): Promise<Example[]> {
  assertOptions("load examples", options, {
    ...{ format: "any", encoding: "any", hint: "any", signal: "any", onProgress: "any" },
    maximumLength: { ...count, infinite: true, whole: false },
    room: countOrNone,
    sees: "any",
  });
  if (!tokenizer) {
    throw new TypeError(
      "Cannot load examples: the model has no tokenizer; put its tokenizer.json next to it",
    );
  }
  const { maximumLength, room = 0, sees = "earlier", ...reading } = options;
  const named = taskFor(typeof task === "string" ? builtInTask(task) : task, sees);
  const rows = await loadTask(named, split, folder, reading);
  return rows.map((row) => tokeniseExample(tokenizer, row, { maximumLength, room, sees }));
}
