/**
 * Reading data files from disk.
 *
 * @module
 */
import { assertOptions } from "../optim/options.ts";
import { dataChunks, type DataFileOptions } from "./data/data_file.ts";
import { dataPath } from "./data/data_path.ts";
import { longestText } from "./data/line_splitter.ts";
import { type PlacedRow, rowReader } from "./data/row_reader.ts";
import type { ExampleFormat } from "./data/example_format.ts";
import { type PlacedExample, renderRow, type Split, type Task } from "./task.ts";
import type { RenderedExample } from "./template.ts";

/**
 * The text of a file: UTF-8, or what its byte order mark or the options say.
 *
 * @throws what opening the file throws; SyntaxError, with byte offset and line, for bytes that are no text of the encoding;
 * RangeError for a text that is too long to be held as one.
 */
export async function readDataFile(path: string, options: DataFileOptions = {}): Promise<string> {
  const parts: string[] = [];
  let length = 0;
  for await (const part of dataChunks(path, options)) {
    length += part.length;
    if (length > longestText) {
      throw new RangeError(
        `Cannot read data file "${path}" as one text: it is longer than ${longestText} characters; split it into parts`,
      );
    }
    parts.push(part);
  }
  return parts.join("");
}

/** How to read rows or examples of a file. */
export interface DataRowsOptions extends DataFileOptions {
  /** Names of the columns of a table without a first line that names them. */
  readonly columns?: readonly string[] | undefined;
  /** What stands between the cells of a table. Default: told from its beginning. */
  readonly separator?: string | undefined;
  /** Names the file in errors. Default: its path. */
  readonly name?: string | undefined;
}

/**
 * The rows of a data file, some at a time: memory is a piece's of the file, not the file's. A batch is read as it is gone through, so go
 * through it before the next.
 *
 * @throws what {@linkcode readDataFile} and {@linkcode readExamples} throw.
 */
export async function* dataRows(
  path: string,
  format: ExampleFormat,
  { columns, separator, name = path, ...options }: DataRowsOptions = {},
): AsyncGenerator<Iterable<PlacedRow>> {
  const reader = rowReader(format, {
    name,
    ...(columns ? { columns } : {}),
    ...(separator === undefined ? {} : { separator }),
  });
  if (reader === undefined) throw new RangeError(`Cannot read ${name}: unknown format "${format}"`);
  for await (const piece of dataChunks(path, options)) yield reader.push(piece);
  yield reader.end();
}

/** How to read a split of a task. */
export interface TaskRowsOptions extends DataFileOptions {
  /** The form of the file. Default: the task's. */
  readonly format?: ExampleFormat | undefined;
}

/**
 * The examples of a task's split, some at a time, each with its line. A batch is read as it is gone through, so go through it before the
 * next.
 *
 * @param folder what relative names of the task's files lie in.
 * @throws RangeError if the task has no such split; what reading and rendering throw, with the line.
 */
export async function* taskRows(
  task: Task,
  split: Split,
  folder: string,
  { format = task.format, ...options }: TaskRowsOptions = {},
): AsyncGenerator<Iterable<PlacedExample>> {
  const file = task.files[split];
  if (file === undefined) {
    const known = Object.keys(task.files).join(", ");
    throw new RangeError(
      `Cannot load ${task.name}: it has no split ${
        JSON.stringify(split)
      }; expected one of ${known}`,
    );
  }
  const { columns, separator } = task;
  const path = dataPath(file, folder);
  const encoding = options.encoding ??
    (task.encoding === undefined || await isUnicode(path, options) ? undefined : task.encoding);
  const reading = { ...options, encoding, columns, separator, name: file };
  for await (const rows of dataRows(path, format, reading)) yield rendered(task, rows, file);
}

function* rendered(task: Task, rows: Iterable<PlacedRow>, file: string): Generator<PlacedExample> {
  for (const row of rows) yield* renderRow(task, row, file);
}

/** Whether a file is UTF-8, or says by its byte order mark what it is: then copies of an old data set were converted. */
async function isUnicode(path: string, { hint, signal }: DataFileOptions): Promise<boolean> {
  try {
    const chunks = dataChunks(path, { hint, signal });
    while (!(await chunks.next()).done);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/**
 * The examples of a task's split.
 *
 * @param folder where the task's files are; those with absolute paths are where these say.
 * @throws RangeError if the task has no such split; what reading and {@linkcode readTask} throw.
 */
export async function loadTask(
  task: Task,
  split: Split,
  folder: string,
  options: TaskRowsOptions = {},
): Promise<RenderedExample[]> {
  assertOptions("load a task", options, {
    format: "any",
    encoding: "any",
    hint: "any",
    signal: "any",
    onProgress: "any",
  });
  const examples: RenderedExample[] = [];
  for await (const batch of taskRows(task, split, folder, options)) {
    for (const { example } of batch) examples.push(example);
  }
  return examples;
}
