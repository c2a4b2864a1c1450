/**
 * The task that a configuration names or describes.
 *
 * @module
 */
import { extname } from "@std/path";
import { builtInTask, type ExampleFormat, type Task, taskFromConfig } from "../tasks/mod.ts";
import type { TrainConfig } from "./config_schema.ts";

/** The name of language modelling as a task. */
export const languageModelling = "language-modelling";

const formatOfExtension: Readonly<Record<string, ExampleFormat>> = {
  ".jsonl": "jsonl",
  ".tsv": "tsv",
  ".csv": "csv",
  ".txt": "paragraphs",
};

/**
 * The format of the configured files: as given, else by the extension of the training file, else of the validation file.
 *
 * @throws {RangeError} when neither says it.
 */
export function formatOfConfig({ task, data }: TrainConfig): ExampleFormat {
  return task.format ?? formatOfFile(data.train ?? data.validation ?? data.test ?? "");
}

/** The format of a data file by its extension. @throws {RangeError} when it does not say it. */
export function formatOfFile(file: string): ExampleFormat {
  const format = formatOfExtension[extname(file).toLowerCase()];
  if (format === undefined) {
    throw new RangeError(
      `Cannot tell the format of "${file}": set task.format, or name a file that ends in ${
        Object.keys(formatOfExtension).join(", ")
      }`,
    );
  }
  return format;
}

/**
 * The built-in task of the configured name, or the one that is described; its files are those of `data`, relative to
 * `data.folder`. Undefined for language modelling.
 *
 * @throws {RangeError} for an unknown name, or a format that is neither given nor told by an extension.
 * @throws {TypeError} for a description without labels or candidates.
 *
 * @example A built-in task with an own training file
 * ```ts
 * import { parseTrainConfig, taskOfConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const yaml = "model: a.gguf\ntask: sst2\ndata: {train: mine.train}";
 * assertEquals(taskOfConfig(parseTrainConfig(yaml, "a.yaml"))?.files, {
 *   train: "mine.train",
 *   dev: "stsa.binary.dev",
 *   test: "stsa.binary.test",
 * });
 * ```
 */
export function taskOfConfig(config: TrainConfig): Task | undefined {
  const { name, template, columns, labels, candidates, labelField } = config.task;
  const { train, validation, test } = config.data;
  const files = given({ train, dev: validation, test });
  if (template === undefined) {
    if (name === undefined || name === languageModelling) return undefined;
    const task = builtInTask(name);
    return { ...task, files: { ...task.files, ...files } };
  }
  const format = formatOfConfig(config);
  return taskFromConfig(
    given({ name, template, columns, labels, candidates, labelField, files, format }),
  );
}

/** The entries that are not undefined. */
function given<T extends object>(entries: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(
    Object.entries(entries).filter(([, value]) => value !== undefined),
  ) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}
