/**
 * The built-in tasks, with the prompts of MeZO and ZO-Bench (ZO-LLM, `templates.py`) for models that read from left to
 * right. Files are those of the usual distributions, in a folder of the task's name.
 *
 * @module
 */
import { copaRows, multircRows, trecRows, winograndeRows } from "./prepare.ts";
import type { Task } from "./task.ts";

const superGlue = { train: "train.jsonl", dev: "val.jsonl" } as const;
const stanford = (kind: string): Task["files"] => ({
  train: `stsa.${kind}.train`,
  dev: `stsa.${kind}.dev`,
  test: `stsa.${kind}.test`,
});

/** The tasks that come with the library. */
export const builtInTasks: readonly Task[] = [
  {
    name: "sst2",
    files: stanford("binary"),
    format: "labelled",
    template: {
      name: "sst2",
      prompt: "{text} It was",
      labels: { "0": " terrible", "1": " great" },
    },
  },
  {
    name: "sst5",
    files: stanford("fine"),
    format: "labelled",
    template: {
      name: "sst5",
      prompt: "{text} It was",
      labels: { "0": " terrible", "1": " bad", "2": " okay", "3": " good", "4": " great" },
    },
  },
  {
    // The published prompt begins with the answer, which only a masked model can use.
    name: "trec",
    files: { train: "train.txt", test: "test.txt" },
    format: "labelled",
    // One byte is beyond ASCII: 0xf0 in "the sister city".
    encoding: "latin1",
    prepare: trecRows,
    template: {
      name: "trec",
      prompt: "{text} Type:",
      labels: {
        ABBR: " Expression",
        DESC: " Description",
        ENTY: " Entity",
        HUM: " Human",
        LOC: " Location",
        NUM: " Number",
      },
    },
  },
  {
    name: "rte",
    files: superGlue,
    format: "jsonl",
    template: {
      name: "rte",
      prompt: '{premise}\nDoes this mean that "{hypothesis}" is true? Yes or No?\n',
      labels: { entailment: "Yes", not_entailment: "No" },
    },
  },
  {
    name: "cb",
    files: superGlue,
    format: "jsonl",
    template: {
      name: "cb",
      prompt: 'Suppose {premise} Can we infer that "{hypothesis}"? Yes, No, or Maybe?\n',
      labels: { entailment: "Yes", contradiction: "No", neutral: "Maybe" },
    },
  },
  {
    // The form that ZO-Bench's runs use; its default form puts the answer on a line of its own.
    name: "boolq",
    files: { ...superGlue, dev: "dev32.jsonl" },
    format: "jsonl",
    template: {
      name: "boolq",
      prompt: "{passage} {question}?",
      labels: { true: " Yes", false: " No" },
    },
  },
  {
    name: "copa",
    files: superGlue,
    format: "jsonl",
    prepare: copaRows,
    template: {
      name: "copa",
      prompt: "{premise} {connective}",
      candidates: [" {choice1}", " {choice2}"],
    },
  },
  {
    name: "multirc",
    files: { ...superGlue, dev: "dev32.jsonl" },
    format: "jsonl",
    prepare: multircRows,
    template: {
      name: "multirc",
      prompt:
        '{paragraph}\nQuestion: {question}\nI found this answer "{answer}". Is that correct? Yes or No?\n',
      labels: { "0": "No", "1": "Yes" },
    },
  },
  {
    name: "winogrande",
    files: { train: "train.jsonl", dev: "dev.jsonl" },
    format: "jsonl",
    prepare: winograndeRows,
    template: { name: "winogrande", prompt: "{before}", candidates: ["{ending1}", "{ending2}"] },
  },
];

/**
 * The built-in task of that name.
 *
 * @throws RangeError that lists the known ones.
 *
 * @example A task and an unknown one
 * ```ts
 * import { builtInTask } from "@qzo/qzo/tasks";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(builtInTask("rte").template.labels, { entailment: "Yes", not_entailment: "No" });
 * assertThrows(() => builtInTask("sst3"), RangeError, "known are sst2");
 * ```
 */
export function builtInTask(name: string): Task {
  const task = builtInTasks.find((candidate) => candidate.name === name.toLowerCase());
  if (task === undefined) {
    const known = builtInTasks.map((candidate) => candidate.name).join(", ");
    throw new RangeError(`Cannot find task ${JSON.stringify(name)}, known are ${known}`);
  }
  return task;
}
