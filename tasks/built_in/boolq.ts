/**
 * BoolQ: yes-or-no questions about a passage (Clark et al. 2019).
 *
 * @module
 */
import { fieldText, fieldValue, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";
import { superGlueFiles } from "./files.ts";

const what = "read an example of boolq";

/**
 * Reads SuperGLUE's rows (`label`), whose passages begin with their title, and those of the original release (`answer`), whose passages do not.
 */
function boolqRows(row: Row): Row[] {
  const original = fieldValue(row, "label") === undefined &&
    fieldValue(row, "answer") !== undefined;
  return [{ ...row, label: fieldText(row, original ? "answer" : "label", what) }];
}

/** As in the prompts of the papers: without the title, and the question with a capital letter and a question mark. */
function askedRows(row: Row): Row[] {
  return boolqRows(row).map((prepared) => {
    const passage = fieldText(row, "passage", what);
    const [title] = fieldValue(row, "label") === undefined ? [] : passage.split(" -- ");
    const [first = "", ...rest] = fieldText(row, "question", what);
    const question = first.toUpperCase() + rest.join("");
    return {
      ...prepared,
      passage: title === undefined || title === passage ? passage : passage.slice(title.length + 4),
      question: question.endsWith("?") ? question : `${question}?`,
    };
  });
}

const boolq = { files: superGlueFiles, format: "jsonl" } as const;

/** BoolQ with the prompt of MeZO and QZO, of ZO-LLM, and of the evaluation harness. */
export const boolqTasks: readonly Task[] = [
  {
    ...boolq,
    name: "boolq",
    prepare: askedRows,
    template: {
      name: "boolq",
      prompt: "{passage} {question}\n",
      labels: { true: "Yes", false: "No" },
    },
  },
  {
    ...boolq,
    name: "boolq/zo-llm",
    prepare: askedRows,
    template: {
      name: "boolq",
      prompt: "{passage} {question}",
      labels: { true: " Yes", false: " No" },
    },
  },
  {
    ...boolq,
    name: "boolq/harness",
    prepare: boolqRows,
    template: {
      name: "boolq",
      prompt: "{passage}\nQuestion: {question}?\nAnswer:",
      labels: { false: " no", true: " yes" },
    },
  },
];
