/**
 * ReCoRD: which entity of a news article belongs into a sentence about it? (Zhang et al. 2018)
 *
 * @module
 */
import { asRow, fieldItems, fieldText, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";
import { superGlueFiles } from "./files.ts";

const what = "read an example of record";

/**
 * A row for every query: the entities of the passage, each once and in the order of their characters, the query with each of them, and which of them
 * are right.
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
      // The end is that of the last character.
      return characters.slice(start, end + 1).join("");
    }),
  );
  return fieldItems(row, "qas", what).flatMap((item) => {
    const question = asRow(item, what);
    const query = fieldText(question, "query", what);
    // Those of the test have none.
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

/** Each text once, in the order of their characters. */
function sorted(texts: readonly string[]): string[] {
  const points = (text: string): number[] => [...text].map((letter) => letter.codePointAt(0) ?? 0);
  return [...new Set(texts)].sort((a, b) => {
    const [one, other] = [points(a), points(b)];
    const at = one.findIndex((point, i) => point !== other[i]);
    return at < 0 ? one.length - other.length : one[at] - (other[at] ?? -1);
  });
}

/** MeZO's: highlights as items of a list, which the query goes on with. */
function listedRows(row: Row): Row[] {
  return recordRows(row).map((query) => ({
    ...query,
    passage: String(query.text).replaceAll("@highlight\n", "- "),
  }));
}

/** The evaluation harness's: a list behind the passage, each item with a full stop. */
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
    // The harness sets a space before each candidate, so that these begin with three.
    template: { name: "record", prompt: "{passage}\n\n{list}", candidates: ["   - {queries}"] },
  },
];
