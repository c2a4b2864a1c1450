/**
 * ReCoRD: which entity of a news article fits the blank in a sentence about it? (Zhang et al. 2018)
 *
 * @module
 */
import { asRow, fieldItems, fieldText, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";
import { superGlueFiles } from "./files.ts";

const what = "read an example of record";

/**
 * One row for every query: the distinct entities of the passage sorted by code points, the query with each of them, and the correct ones.
 */
function recordRows(row: Row): Row[] {
  const passage = asRow(row.passage, what);
  const text = fieldText(passage, "text", what);
  const characters = [...text];
  const entities = sorted(
    fieldItems(passage, "entities", what).map((item) => {
      const [start, end] = ["start", "end"].map((field) =>
        Number(fieldText(asRow(item, what), field, what))
      );
      // `end` is the index of the last character.
      return characters.slice(start, end + 1).join("");
    }),
  );
  return fieldItems(row, "qas", what).flatMap((item) => {
    const question = asRow(item, what);
    const query = fieldText(question, "query", what);
    // The queries of the test set have no answers.
    const given = question.answers === undefined ? [] : fieldItems(question, "answers", what);
    const answers = sorted(given.map((answer) => fieldText(asRow(answer, what), "text", what)));
    if (answers.length === 0) return [];
    const right = answers.map((answer) => entities.indexOf(answer)).filter((index) => index >= 0);
    if (right.length === 0) {
      throw new RangeError(
        `Cannot ${what}: none of the answers ${
          JSON.stringify(answers).slice(0, 80)
        } is an entity of the passage`,
      );
    }
    return [{
      text,
      queries: entities.map((entity) => query.replaceAll("@placeholder", () => entity)),
      entities,
      answers,
      right,
      label: right[0],
    }];
  });
}

/** Distinct texts, sorted by code points. */
function sorted(texts: readonly string[]): string[] {
  const points = (text: string): number[] => [...text].map((letter) => letter.codePointAt(0) ?? 0);
  return [...new Set(texts)].sort((a, b) => {
    const [one, other] = [points(a), points(b)];
    const at = one.findIndex((point, i) => point !== other[i]);
    return at < 0 ? one.length - other.length : one[at] - (other[at] ?? -1);
  });
}

/** MeZO's form: highlights as items of a list, which the query continues. */
function listedRows(row: Row): Row[] {
  return recordRows(row).map((query) => ({
    ...query,
    passage: String(query.text).replaceAll("@highlight\n", "- "),
  }));
}

/** The evaluation harness's form: a list after the passage, with a full stop after each item. */
function harnessRows(row: Row): Row[] {
  return recordRows(row).map((query) => {
    const [passage, ...highlights] = String(query.text).trim().split("\n@highlight\n");
    return { ...query, passage, list: highlights.map((item) => `  - ${item}.\n`).join("") };
  });
}

const record = {
  files: superGlueFiles,
  format: "jsonl",
  reference: (row) => ({
    answers: row.answers as string[],
    texts: row.entities as string[],
  }),
  right: (row) => row.right as number[],
  metrics: ["accuracy", "f1", "exactMatch"],
  published: { objective: "language-modelling" },
} as const satisfies Partial<Task>;

/** ReCoRD, with MeZO's prompt and the evaluation harness's. */
export const recordTasks: readonly Task[] = [
  {
    ...record,
    name: "record",
    prepare: listedRows,
    template: { name: "record", prompt: "{passage}\n-", candidates: [" {queries}"] },
  },
  {
    ...record,
    name: "record/harness",
    prepare: harnessRows,
    score: "sum",
    // The harness adds a space before each candidate, so there are three.
    template: { name: "record", prompt: "{passage}\n\n{list}", candidates: ["   - {queries}"] },
  },
];
