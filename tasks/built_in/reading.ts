/**
 * SQuAD and DROP: questions about a passage with generated answers.
 *
 * @module
 */
import { asRow, fieldItems, fieldText, fieldValue, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";

/**
 * Reads SQuAD's articles, which consist of paragraphs with questions, or one question per row, as in other collections. Questions without an answer,
 * as in SQuAD 2.0, give no row.
 */
function squadRows(row: Row): Row[] {
  const what = "read an example of squad";
  const title = row.title === undefined ? "" : fieldText(row, "title", what);
  const asked = (item: Row, context: string): Row[] => {
    const answers = answersOf(item, what);
    if (answers.length === 0) return [];
    return [{ title, context, question: fieldText(item, "question", what).trim(), answers }];
  };
  if (row.paragraphs === undefined) return asked(row, fieldText(row, "context", what));
  return fieldItems(row, "paragraphs", what).flatMap((value) => {
    const paragraph = asRow(value, what);
    const context = fieldText(paragraph, "context", what);
    return fieldItems(paragraph, "qas", what).flatMap((item) => asked(asRow(item, what), context));
  });
}

/** The answers: `[{text}]` in the original, `{text: [...]}` in tables stored by columns. */
function answersOf(item: Row, what: string): string[] {
  const byColumns = fieldValue(item, "answers.text");
  const found = Array.isArray(byColumns)
    ? byColumns
    : fieldItems(item, "answers", what).map((answer) => asRow(answer, what).text);
  return found.map((text) => {
    if (typeof text === "string") return text;
    throw new TypeError(`Cannot ${what}: an answer is ${typeof text}, expected a string`);
  });
}

/** Reads DROP's passages with their questions, whose answers are a number, a date, or one or more spans of the passage. */
function dropRows(row: Row): Row[] {
  const what = "read an example of drop";
  const passage = fieldText(row, "passage", what);
  return fieldItems(row, "qa_pairs", what).flatMap((value) => {
    const pair = asRow(value, what);
    const own = pair.answer === undefined ? [] : partsOf(asRow(pair.answer, what), what);
    const others =
      (pair.validated_answers === undefined ? [] : fieldItems(pair, "validated_answers", what))
        .map((answer) => partsOf(asRow(answer, what), what))
        .filter((parts) => parts.length > 0);
    const all = [own, ...others].filter((parts) => parts.length > 0);
    if (all.length === 0) return [];
    return [{
      passage,
      question: fieldText(pair, "question", what).trim(),
      // As in MeZO, each part of every answer counts as a separate answer. Validated answers are used if there are any.
      answers: (others.length > 0 ? others : all).flat(),
      spans: all,
    }];
  });
}

/** The parts of an answer: a number, otherwise its spans, otherwise a date as `day month year`. Empty if all are. */
function partsOf(answer: Row, what: string): string[] {
  const number = answer.number === undefined ? "" : fieldText(answer, "number", what);
  if (number !== "") return [number];
  const spans = answer.spans === undefined ? [] : fieldItems(answer, "spans", what).map(String);
  if (spans.length > 0) return spans;
  if (answer.date === undefined) return [];
  const date = asRow(answer.date, what);
  const text = ["day", "month", "year"]
    .map((part) => date[part] === undefined ? "" : fieldText(date, part, what))
    .join(" ").trim();
  return text === "" ? [] : [text];
}

const squad = {
  files: { train: "train-v1.1.json", dev: "dev-v1.1.json" },
  format: "members",
  prepare: squadRows,
  metrics: ["f1", "exactMatch"],
} as const satisfies Partial<Task>;
const drop = {
  files: { train: "drop_dataset_train.json", dev: "drop_dataset_dev.json" },
  format: "members",
  prepare: dropRows,
  reference: (row) => ({
    answers: row.answers as string[],
    spans: row.spans as string[][],
  }),
} as const satisfies Partial<Task>;

/** SQuAD and DROP, with MeZO's prompts and the evaluation harness's. */
export const readingTasks: readonly Task[] = [
  {
    // The line feed is part of the answer, so that the model learns to end answers with it.
    ...squad,
    name: "squad",
    template: {
      name: "squad",
      prompt: "Title: {title}\nContext: {context}\nQuestion: {question}\nAnswer:",
      answer: " {answers}\n",
    },
  },
  {
    // The prompt is the harness's for SQuAD 2.0, without the questions that have no answer.
    ...squad,
    name: "squad/harness",
    template: {
      name: "squad",
      prompt: "Title: {title}\n\nBackground: {context}\n\nQuestion: {question}\n\nAnswer:",
      answer: " {answers}",
    },
  },
  {
    ...drop,
    name: "drop",
    metrics: ["f1", "exactMatch", "dropF1", "dropExactMatch"],
    template: {
      name: "drop",
      prompt: "Passage: {passage}\nQuestion: {question}\nAnswer:",
      answer: " {answers}\n",
    },
  },
  {
    ...drop,
    name: "drop/harness",
    metrics: ["dropF1", "dropExactMatch"],
    stop: ["."],
    template: { name: "drop", prompt: "{passage} {question}", answer: " {answers}" },
  },
];
