/**
 * MultiRC: which answers to a question about a passage are correct? (Khashabi et al. 2018)
 *
 * @module
 */
import { asRow, fieldItems, fieldText, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";
import { superGlueFiles } from "./files.ts";

/** One row for every answer to every question about a passage. */
function multircRows(row: Row): Row[] {
  const what = "read an example of multirc";
  const passage = asRow(row.passage, what);
  const paragraph = fieldText(passage, "text", what);
  return fieldItems(passage, "questions", what).flatMap((item, index) => {
    const question = asRow(item, what);
    return fieldItems(question, "answers", what).map((value) => {
      const answer = asRow(value, what);
      return {
        paragraph,
        question: fieldText(question, "question", what),
        // A passage is a single row of the file, so its text identifies it.
        key: `${index} of ${paragraph}`,
        answer: fieldText(answer, "text", what),
        label: fieldText(answer, "label", what),
      };
    });
  });
}

const multirc = {
  files: superGlueFiles,
  format: "jsonl",
  prepare: multircRows,
  reference: (row) => ({ question: String(row.key) }),
  metrics: ["accuracy", "f1a", "questionMatch"],
} as const satisfies Partial<Task>;

/** MultiRC, with MeZO's prompt and the evaluation harness's. */
export const multircTasks: readonly Task[] = [
  {
    ...multirc,
    name: "multirc",
    template: {
      name: "multirc",
      prompt:
        '{paragraph}\nQuestion: {question}\nI found this answer "{answer}". Is that correct? Yes or No?\n',
      labels: { "0": "No", "1": "Yes" },
    },
  },
  {
    // Here, label 1 is yes. Version 2.0 of the harness lists "yes" first and uses the label as an index.
    ...multirc,
    name: "multirc/harness",
    score: "sum",
    template: {
      name: "multirc",
      prompt: "{paragraph}\nQuestion: {question}\nAnswer:",
      candidates: [
        " {answer}\nIs the answer correct? no",
        " {answer}\nIs the answer correct? yes",
      ],
    },
  },
];
