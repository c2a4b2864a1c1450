/**
 * What there is to learn, told by the fields of the data where a configuration does not say it.
 *
 * @module
 */
import { dataExtension } from "../../tasks/data/data_name.ts";
import { dataPath } from "../../tasks/data/data_path.ts";
import type { Row } from "../../tasks/data/row.ts";
import { dataRows } from "../../tasks/files.ts";
import { builtInTasks } from "../../tasks/registry.ts";
import { recogniseForm } from "../../tasks/supervised/row_form.ts";
import { renderRow } from "../../tasks/task.ts";
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
  if (task.name !== undefined || task.template !== undefined || file === undefined) {
    return { config };
  }
  const isText = task.format === undefined && dataExtension(file) === ".txt";
  if (isText) return { config };
  const format = formatOfSplit(config, file);
  if (!["jsonl", "json", "csv", "tsv"].includes(format)) return { config };
  const rows: Row[] = [];
  const { columns, separator } = task;
  const options = { encoding: data.encoding, signal, columns, separator, name: file };
  reading: for await (const batch of dataRows(dataPath(file, data.folder), format, options)) {
    for (const { row } of batch) {
      rows.push(row);
      if (rows.length === LOOKED_AT) break reading;
    }
  }
  const others = format === "jsonl" || format === "json" ? tasksOf(rows) : [];
  const found = recogniseForm(rows, { name: `"${file}"`, others });
  if (found === undefined) {
    const [name] = others;
    if (name === undefined) return { config };
    const why = `every one of its first ${rows.length} rows is one of ${name}`;
    return { config: withTask(config, name), why };
  }
  const fields = found.fields.map((field) => JSON.stringify(field)).join(", ");
  const why = `rows of ${file} have the field${found.fields.length === 1 ? "" : "s"} ${fields}`;
  return found.form === "text" ? { config, why } : { config: withTask(config, found.form), why };
}

/** Names of the built-in tasks that every row is a row of. */
function tasksOf(rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  return builtInTasks.filter((task) =>
    (task.format === "jsonl" || task.format === "json") && rows.every((row) => {
      try {
        return renderRow(task, { row, line: 1 }, task.name).length > 0;
      } catch {
        return false;
      }
    })
  ).map(({ name }) => name);
}

/** A built-in task's other files are of its own distribution: beside a file that only looks like it, a part is held out. */
function withTask(config: TrainConfig, name: string): TrainConfig {
  const { data } = config;
  const isTask = builtInTasks.some((task) => task.name === name);
  const split = isTask && data.train !== undefined && data.validation === undefined;
  return {
    ...config,
    task: { ...config.task, name },
    ...(split ? { data: { ...data, validation: heldOutOfTraining } } : {}),
  };
}
