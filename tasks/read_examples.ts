/**
 * Data files as rows: JSON, tab- or comma-separated tables, `label text` lines and plain text. Pure functions over
 * text; reading the file is the caller's.
 *
 * @module
 */
import type { Row } from "./row.ts";
import { rowReader } from "./row_reader.ts";

/** The forms of data files that {@linkcode readExamples} knows. */
export const exampleFormats = [
  "jsonl",
  "tsv",
  "csv",
  "labelled",
  "lines",
  "paragraphs",
  "json",
] as const;

/**
 * A form of data files:
 * - `jsonl`, `json`: an object a line, or one array of objects;
 * - `tsv`, `csv`: a table whose first line names the columns (csv with quotes as in RFC 4180, tsv without);
 * - `labelled`: `label text` a line, giving the fields `label` and `text`;
 * - `lines`, `paragraphs`: plain text, one `text` a line, or a paragraph between blank lines.
 */
export type ExampleFormat = (typeof exampleFormats)[number];

/** Options of {@linkcode readExamples}. */
export interface ReadExamplesOptions {
  /** Names the file in errors. Default "the data". */
  readonly name?: string;
  /** Names of the columns of a table without a first line that names them. */
  readonly columns?: readonly string[];
}

/**
 * The rows of a data file's text. Empty lines are no rows. Integers of JSON that a number cannot hold to the unit are kept as
 * their digits, a text.
 *
 * @throws SyntaxError with the line's number where the text is not of that form; RangeError for an unknown format.
 *
 * @example Three forms of the same row
 * ```ts
 * import { readExamples } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const row = { label: "1", text: "a stirring film" };
 * assertEquals(readExamples("1 a stirring film\n", "labelled"), [row]);
 * assertEquals(readExamples("label\ttext\n1\ta stirring film\n", "tsv"), [row]);
 * assertEquals(readExamples('{"label":"1","text":"a stirring film"}\n', "jsonl"), [row]);
 * assertEquals(readExamples('[{"label":"1","text":"a stirring film"}]', "json"), [row]);
 * ```
 */
export function readExamples(
  text: string,
  format: ExampleFormat,
  options: ReadExamplesOptions = {},
): Row[] {
  const reader = rowReader(format, options);
  if (reader === undefined) {
    throw new RangeError(
      `Cannot read ${options.name ?? "the data"}: unknown format ${
        JSON.stringify(format)
      }, known are ${exampleFormats.join(", ")}`,
    );
  }
  return [...reader.push(text), ...reader.end()].map(({ row }) => row);
}
