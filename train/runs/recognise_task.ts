/**
 * What there is to learn, told by the fields of the data where a configuration does not say it.
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

/** Rows that are looked at. */
const LOOKED_AT = 100;

/** A configuration that says what is learned, and how that is known. */
export interface RecognisedTask {
  /** With `task.name`, where the data told it. */
  readonly config: TrainConfig;
  /** What the data told, in words; undefined where they were not asked. */
  readonly why?: string;
}

/**
 * Recognises conversations (`messages`, `conversations`), instructions (`instruction` and `output`), completions (`prompt` and `completion`) and the
 * built-in tasks whose files have rows of JSON, where a configuration names no task and has no template. Rows with a `text` stay language modelling.
 *
 * @throws {RangeError} For rows that may be several things; it lists them
 * @throws What reading the file throws
 */
export async function recogniseTask(
  config: TrainConfig,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RecognisedTask> {
  const { task, data } = config;
  const file = data.train ?? data.test;
  void taskOfConfig(config); // What cannot be is refused before the data are read.
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

/** The first rows of a file, as many as are looked at. */
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

/** The built-in tasks under their own prompts. */
const ownTasks = builtInTasks.filter(({ name }) => !name.includes("/"));

/** The built-in task whose files a folder holds. */
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
    }).catch(() => []); // A file of another form is none of the task's.
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

/** Names of the built-in tasks that every row is a row of. */
function tasksOf(rows: readonly Row[]): string[] {
  return ownTasks.filter((task) => task.format !== "labelled" && isTask(task, rows))
    .map(({ name }) => name);
}

/** Whether every row is a task's. */
function isTask(task: Task, rows: readonly Row[]): boolean {
  return rows.length > 0 && rows.every((row) => {
    try {
      return renderRow(task, { row, line: 1 }, task.name).length > 0;
    } catch {
      return false;
    }
  });
}

/** A built-in task's other files are of its own distribution: beside a file that only looks like it, a part is held out. */
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
