/**
 * Reads data files from disk.
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
 * The text of a file, in UTF-8 unless its byte order mark or the options say otherwise.
 *
 * @throws {SyntaxError} with byte offset and line, for bytes that are not valid in the encoding.
 * @throws {RangeError} for a text that is too long for one string.
 * @throws Any error of opening the file.
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

/** Options for reading the rows or examples of a file. */
export interface DataRowsOptions extends DataFileOptions {
  /** Names of a table's columns, if its first line does not contain them. */
  readonly columns?: readonly string[] | undefined;
  /** Separator of a table's cells. Default: detected from the beginning of the file. */
  readonly separator?: string | undefined;
  /** Name of the file in errors. Default: its path. */
  readonly name?: string | undefined;
}

/**
 * The rows of a data file, in batches. Memory use depends on the size of a piece, not of the file. A batch is read while it is iterated, so
 * finish one before requesting the next.
 *
 * @throws The errors of {@linkcode readDataFile} and {@linkcode readExamples}.
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

/** Options for reading a split of a task. */
export interface TaskRowsOptions extends DataFileOptions {
  /** Format of the file. Default: the task's format. */
  readonly format?: ExampleFormat | undefined;
}

/**
 * The examples of a task's split in batches, each with its line number. A batch is read while it is iterated, so finish one before requesting
 * the next.
 *
 * @param folder Folder of the task's files with relative names.
 * @throws {RangeError} when the task has no such split.
 * @throws Any error of reading and rendering, with the line number.
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

/** Whether a file is UTF-8 or has a byte order mark, in which case it is a converted copy of an older data set. */
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
 * @param folder Folder of the task's files. Files with absolute paths do not depend on it.
 * @throws {RangeError} when the task has no such split.
 * @throws Any error of reading, and those of {@linkcode readTask}.
 *
 * @example The bundled reviews
 * ```ts
 * import { loadTask } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * const labels = { "0": " terrible", "1": " great" };
 * const task = {
 *   name: "reviews",
 *   template: { name: "reviews", prompt: "{sentence} It was", labels },
 *   format: "jsonl",
 *   files: { train: "reviews_train.jsonl" },
 * } as const;
 * const [first] = await loadTask(task, "train", "demo");
 * assertEquals(first.prompt, "The cast was original and the script was wonderful. It was");
 * ```
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
