/**
 * The task that a configuration names or describes.
 *
 * @module
 */
import { builtInTask, type ExampleFormat, type Task, taskFromConfig } from "../../tasks/mod.ts";
import { dataExtension, formatOfExtension } from "../../tasks/data/data_name.ts";
import { type RowForm, rowForms } from "../../tasks/supervised/row_form.ts";
import type { TrainConfig } from "./schema.ts";

/** The name of language modelling as a task. */
export const languageModelling = "language-modelling";

/** The value that replaces a validation file: a part of the training examples is held out. */
export const heldOutOfTraining = "split";

/**
 * The kind of fine-tuning data that a configuration names. Undefined for other tasks.
 *
 * @example Conversations, and a built-in task
 * ```ts
 * import { formOfConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formOfConfig({ task: { name: "chat" } }), "chat");
 * assertEquals(formOfConfig({ task: { name: "sst2" } }), undefined);
 * ```
 */
export function formOfConfig({ task }: Pick<TrainConfig, "task">): RowForm | undefined {
  return task.template === undefined ? rowForms.find((form) => form === task.name) : undefined;
}

/**
 * The format of a configured file: as given, or else by its extension.
 *
 * @throws {RangeError} when it is not given and the extension is unknown.
 */
export function formatOfSplit({ task }: TrainConfig, file: string): ExampleFormat {
  return task.format ?? formatOfFile(file);
}

/**
 * The format of a data file by its extension.
 *
 * @throws {RangeError} for an unknown extension.
 */
export function formatOfFile(file: string): ExampleFormat {
  const format = formatOfExtension[dataExtension(file)];
  if (format === undefined) {
    throw new RangeError(
      `Cannot tell the format of "${file}": set task.format, or give a file whose name ends in ${
        Object.keys(formatOfExtension).join(", ")
      }, or in one of these with .gz`,
    );
  }
  return format;
}

/**
 * The format of a built-in task's file: as given, or else by an extension that is specific, or else the task's own. Files of labelled lines have
 * various names, including `train.tsv`, but do not contain JSON.
 */
export function formatOfTaskFile(
  { task }: TrainConfig,
  { format }: Task,
  file: string,
): ExampleFormat {
  const told = formatOfExtension[dataExtension(file)];
  const isTable = told === "tsv" || told === "csv";
  const unsaid = told === undefined || told === "paragraphs" ||
    told === "json" && format === "members" || isTable && format === "labelled";
  return task.format ?? (unsaid ? format : told);
}

/**
 * The built-in task of the configured name, or the task that is described, with the files in `data`, relative to `data.folder`. Undefined for
 * language modelling, and for conversations, instructions and completions ({@linkcode formOfConfig}).
 *
 * @throws {RangeError} for an unknown name, or a format that is neither given nor clear from an extension.
 * @throws {TypeError} for a description without labels or candidates.
 *
 * @example A built-in task with a custom training file
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
  const { name, template, columns, separator, labels, candidates, answer, labelField, format } =
    config.task;
  const { train, validation, test } = config.data;
  const split = validation === heldOutOfTraining;
  const files = given({ train, dev: split ? undefined : validation, test });
  const form = formOfConfig(config);
  assertScored(config, form);
  if (template === undefined) {
    assertUnused({ labels, candidates, answer, label_field: labelField });
    if (name === undefined || name === languageModelling || form !== undefined) {
      if (config.task.objective === "classification") {
        throw new RangeError(
          `Cannot use task.objective classification without a task: text alone has no candidates`,
        );
      }
      assertColumns(config);
      return undefined;
    }
    const task = builtInTask(name);
    return {
      ...task,
      ...given({ format, columns, separator }),
      files: split ? { train: task.files.train, ...files } : { ...task.files, ...files },
    };
  }
  const [first = ""] = Object.values(files);
  return taskFromConfig({
    ...given({ name, template, columns, separator, labels, candidates, answer, labelField, files }),
    format: formatOfSplit(config, first),
  });
}

/** Rejects keys that only apply to fine-tuning data. */
function assertScored(
  { task: { name, template, loss, chatTemplate } }: TrainConfig,
  form?: RowForm,
): void {
  if (form === undefined && name === undefined && template === undefined) return;
  const key = form === undefined && loss !== undefined
    ? "loss"
    : (form === undefined || form === "completion") && chatTemplate !== undefined
    ? "chat_template"
    : undefined;
  if (key === undefined) return;
  const forms = key === "loss" ? rowForms : rowForms.filter((it) => it !== "completion");
  throw new RangeError(
    `Cannot use task.${key} with ${
      template === undefined ? `task ${name}` : "task.template"
    }: it applies only to ${forms.join(", ")}`,
  );
}

/** Rejects keys that only apply with a template. */
function assertUnused(keys: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(keys)) {
    if (value !== undefined) {
      throw new RangeError(
        `Cannot use task.${key} without task.template: only a template can define its own answers`,
      );
    }
  }
}

/** Rejects keys that only apply to tables, for other files. */
function assertColumns({ task: { columns, separator, format }, data }: TrainConfig): void {
  const key = columns ? "columns" : separator === undefined ? undefined : "separator";
  if (key === undefined) return;
  for (const file of [data.train, data.validation, data.test]) {
    const found = file === undefined ? undefined : format ?? formatOfFile(file);
    if (found !== undefined && found !== "csv" && found !== "tsv") {
      throw new RangeError(
        `Cannot use task.${key} for "${file}": it applies only to csv and tsv, but the file is ${found}`,
      );
    }
  }
}

/** The entries that are not undefined. */
function given<T extends object>(entries: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(
    Object.entries(entries).filter(([, value]) => value !== undefined),
  ) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}
