/**
 * TREC: what does a question ask for? (Li and Roth 2002)
 *
 * @module
 */
import { fieldText, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";

/** The coarse half of `COARSE:fine`. */
function trecRows(row: Row): Row[] {
  const label = fieldText(row, "label", "read an example of trec");
  return [{ ...row, label: label.split(":")[0] }];
}

/** By name: the numbers of these classes are others in each collection. */
const labels = {
  ABBR: " Expression",
  DESC: " Description",
  ENTY: " Entity",
  HUM: " Human",
  LOC: " Location",
  NUM: " Number",
} as const;

/** TREC by its six coarse classes. */
export const trecTasks: readonly Task[] = [
  {
    // The published prompt begins with the answer, which only a masked model can use; the other is this library's.
    name: "trec",
    files: { train: "train.txt", test: "test.txt" },
    format: "labelled",
    // One byte is beyond ASCII: 0xf0 in "the sister city".
    encoding: "latin1",
    prepare: trecRows,
    template: { name: "trec", prompt: "{text} Type:", labels },
    masked: { name: "trec", prompt: "{mask}: {text}", labels },
  },
];
