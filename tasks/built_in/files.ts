/**
 * File names of data sets, as published.
 *
 * @module
 */
import type { Task } from "../task.ts";

/** The files of SuperGLUE, in one folder per task. Only two of the three published files have labels. */
export const superGlueFiles: Task["files"] = { train: "train.jsonl", dev: "val.jsonl" };

/** The files of the Stanford Sentiment Treebank by sentence, one `label sentence` per line. */
export function stanfordFiles(kind: "binary" | "fine"): Task["files"] {
  return { train: `stsa.${kind}.train`, dev: `stsa.${kind}.dev`, test: `stsa.${kind}.test` };
}
