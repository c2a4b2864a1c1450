/**
 * SST-2 and SST-5: the sentiment of film reviews (Socher et al. 2013).
 *
 * @module
 */
import { fieldText, fieldValue, type Row } from "../data/row.ts";
import type { Task } from "../task.ts";
import { stanfordFiles } from "./files.ts";

/** Reads the sentence from `text` (lines with labels) or from `sentence` (GLUE's table). */
function sentimentRows(row: Row): Row[] {
  const field = fieldValue(row, "text") === undefined && fieldValue(row, "sentence") !== undefined
    ? "sentence"
    : "text";
  return [{ ...row, text: fieldText(row, field, "read an example of sst").trim() }];
}

const sst2 = {
  files: stanfordFiles("binary"),
  format: "labelled",
  prepare: sentimentRows,
} as const satisfies Partial<Task>;

const ofTwo = { "0": " terrible", "1": " great" } as const;
const ofFive = {
  "0": " terrible",
  "1": " bad",
  "2": " okay",
  "3": " good",
  "4": " great",
} as const;

/** SST-2 and SST-5. */
export const sentimentTasks: readonly Task[] = [
  {
    ...sst2,
    name: "sst2",
    template: { name: "sst2", prompt: "{text} It was", labels: ofTwo },
    masked: { name: "sst2", prompt: "{text} It was{mask}.", labels: ofTwo },
  },
  {
    ...sst2,
    name: "sst2/harness",
    template: {
      name: "sst2",
      prompt: "{text}\nQuestion: Is this sentence positive or negative?\nAnswer:",
      labels: { "0": " negative", "1": " positive" },
    },
  },
  {
    // ZO-LLM's empty template, which shows the effect of the words around an example.
    ...sst2,
    name: "sst2/bare",
    template: { name: "sst2", prompt: "{text}", labels: ofTwo },
  },
  {
    // The label words are MeZO's for RoBERTa, whose prompt has a mask in their place.
    name: "sst5",
    files: stanfordFiles("fine"),
    format: "labelled",
    prepare: sentimentRows,
    template: { name: "sst5", prompt: "{text} It was", labels: ofFive },
    masked: { name: "sst5", prompt: "{text} It was{mask}.", labels: ofFive },
  },
];
