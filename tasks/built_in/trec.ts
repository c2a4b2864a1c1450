/**
 * TREC: the type of a question's answer (Li and Roth 2002).
 *
 * @module
 */
import { fieldText, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";

/** Keeps the coarse half of a label `COARSE:fine`. */
function trecRows(row: Row): Row[] {
  const label = fieldText(row, "label", "read an example of trec");
  return [{ ...row, label: label.split(":")[0] }];
}

/** Label words by class name, because the numbers of the classes differ between collections. */
const labels = {
  ABBR: " Expression",
  DESC: " Description",
  ENTY: " Entity",
  HUM: " Human",
  LOC: " Location",
  NUM: " Number",
} as const;

/** TREC with its six coarse classes. */
export const trecTasks: readonly Task[] = [
  {
    // The published prompt begins with the answer, which requires a masked model. The other prompt is this library's.
    name: "trec",
    files: { train: "train.txt", test: "test.txt" },
    format: "labelled",
    // One byte is not ASCII: 0xf0 in "the sister city".
    encoding: "latin1",
    prepare: trecRows,
    template: { name: "trec", prompt: "{text} Type:", labels },
    masked: { name: "trec", prompt: "{mask}: {text}", labels },
  },
];
