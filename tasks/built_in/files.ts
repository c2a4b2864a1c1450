/**
 * Names of files as data sets are given out.
 *
 * @module
 */
import type { Task } from "../task.ts";

/** SuperGLUE's: a folder a task, with labels in two of its three files. */
export const superGlueFiles: Task["files"] = { train: "train.jsonl", dev: "val.jsonl" };

/** Those of the Stanford Sentiment Treebank by sentences, `label sentence` a line. */
export function stanfordFiles(kind: "binary" | "fine"): Task["files"] {
  return { train: `stsa.${kind}.train`, dev: `stsa.${kind}.dev`, test: `stsa.${kind}.test` };
}
