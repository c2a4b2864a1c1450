/**
 * Recognises the task by the fields of the data, if a configuration does not name it.
 *
 * @module
 */
import { dataExtension } from "../../tasks/data/data_name.ts";
import { dataPath } from "../../tasks/data/data_path.ts";
import type { Row } from "../../tasks/data/row.ts";
import type { ExampleFormat } from "../../tasks/data/example_format.ts";
import { dataRows, type DataRowsOptions } from "../../tasks/files.ts";
import { builtInTasks } from "../../tasks/registry.ts";
import { recogniseForm } from "../../tasks/supervised/row_form.ts";
import { renderRow, type Task } from "../../tasks/task.ts";
import type { TrainConfig } from "../config/schema.ts";
import { formatOfSplit, heldOutOfTraining, taskOfConfig } from "../config/task.ts";

/** Number of rows to examine. */
const LOOKED_AT = 100;

/** A configuration that names its task, and how the task was recognised. */
export interface RecognisedTask {
  /** The configuration, with `task.name` if the data determined it. */
  readonly config: TrainConfig;
  /** What the data showed, for people. Undefined if they were not examined. */
  readonly why?: string;
}

/**
 * Recognises conversations (`messages`, `conversations`), instructions (`instruction` and `output`), completions (`prompt` and `completion`) and
 * built-in tasks with JSON files, if a configuration names no task and has no template. Rows with a `text` field remain language modelling.
 *
 * @throws {RangeError} for rows that match several tasks, listing them.
 * @throws Any error of reading the file.
 *
 * @example A file of instructions
 * ```ts
 * import { parseTrainConfig, recogniseTask } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const file = await Deno.makeTempFile({ suffix: ".jsonl" });
 * await Deno.writeTextFile(file, '{"instruction": "Name a soup.", "output": "Borscht."}\n');
 * const asked = parseTrainConfig(`model: demo/model.gguf\ndata: {train: ${file}}`, "a.yaml");
 * assertEquals((await recogniseTask(asked)).config.task.name, "instruction");
 * await Deno.remove(file);
 * ```
 */
export async function recogniseTask(
  config: TrainConfig,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RecognisedTask> {
  const { task, data } = config;
  const file = data.train ?? data.test;
  void taskOfConfig(config); // Rejects an invalid task before the data are read.
  if (task.name !== undefined || task.template !== undefined) return { config };
  if (file === undefined) return await taskOfFolder(config, signal);
  const isText = task.format === undefined && dataExtension(file) === ".txt";
  if (isText) return { config };
  const format = formatOfSplit(config, file);
  if (!["jsonl", "json", "csv", "tsv"].includes(format)) return { config };
  const { columns, separator } = task;
  const { encoding } = data;
  const path = dataPath(file, data.folder);
  const rows = await firstRows(path, format, { encoding, signal, columns, separator, name: file });
  const others = format === "jsonl" || format === "json" ? tasksOf(rows) : [];
  const found = recogniseForm(rows, { name: `"${file}"`, others });
  if (found === undefined) {
    const [name] = others;
    if (name === undefined) return { config };
    const why = `all of its first ${rows.length} rows match ${name}`;
    return { config: withTask(config, name), why };
  }
  const fields = found.fields.map((field) => JSON.stringify(field)).join(", ");
  const why = `rows of ${file} have the field${found.fields.length === 1 ? "" : "s"} ${fields}`;
  return found.form === "text" ? { config, why } : { config: withTask(config, found.form), why };
}

/** The first rows of a file, as many as are examined. */
async function firstRows(
  path: string,
  format: ExampleFormat,
  options: DataRowsOptions,
): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of dataRows(path, format, options)) {
    for (const { row } of batch) {
      rows.push(row);
      if (rows.length === LOOKED_AT) return rows;
    }
  }
  return rows;
}

/** The built-in tasks with their own prompts. */
const ownTasks = builtInTasks.filter(({ name }) => !name.includes("/"));

/** The built-in task whose files a folder contains. */
async function taskOfFolder(
  config: TrainConfig,
  signal: AbortSignal | undefined,
): Promise<RecognisedTask> {
  const { folder, encoding } = config.data;
  const found: Task[] = [];
  for (const task of ownTasks) {
    const { train } = task.files;
    if (train === undefined || !await isFile(dataPath(train, folder))) continue;
    const options = { encoding: encoding ?? task.encoding, signal, name: train };
    const { columns, separator } = task;
    const rows = await firstRows(dataPath(train, folder), task.format, {
      ...options,
      columns,
      separator,
    }).catch(() => []); // A file in another format is not a file of the task.
    signal?.throwIfAborted();
    if (isTask(task, rows)) found.push(task);
  }
  const [task, ...more] = found;
  if (task === undefined) return { config };
  if (more.length > 0) {
    throw new RangeError(
      `Cannot tell what to learn from the folder "${folder}": its files may be those of task ${
        found.map(({ name }) => name).join(", or of task ")
      }. Say which`,
    );
  }
  const { train, dev, test } = task.files;
  const has = async (file?: string) => file !== undefined && await isFile(dataPath(file, folder));
  const whole = await has(dev);
  const named = { ...config, task: { ...config.task, name: task.name } };
  const tested = await has(test) ? { test } : {};
  const data = { ...tested, ...config.data, validation: heldOutOfTraining };
  const split = !whole && config.data.validation === undefined;
  return {
    config: split ? { ...named, data } : named,
    why: `${folder} contains its file ${train}`,
  };
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((it) => it.isFile, () => false);
}

/** Names of the built-in tasks that every row fits. */
function tasksOf(rows: readonly Row[]): string[] {
  return ownTasks.filter((task) => task.format !== "labelled" && isTask(task, rows))
    .map(({ name }) => name);
}

/** Whether every row fits a task. */
function isTask(task: Task, rows: readonly Row[]): boolean {
  return rows.length > 0 && rows.every((row) => {
    try {
      return renderRow(task, { row, line: 1 }, task.name).length > 0;
    } catch {
      return false;
    }
  });
}

/**
 * The configuration with the recognised task. A built-in task's other files have their own distribution, so for a file that only resembles the
 * task's, a part of the file itself is held out.
 */
function withTask(config: TrainConfig, name: string): TrainConfig {
  const { data } = config;
  const isBuiltIn = builtInTasks.some((task) => task.name === name);
  const split = isBuiltIn && data.train !== undefined && data.validation === undefined;
  return {
    ...config,
    task: { ...config.task, name },
    ...(split ? { data: { ...data, validation: heldOutOfTraining } } : {}),
  };
}
