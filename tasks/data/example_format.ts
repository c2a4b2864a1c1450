/**
 * The forms of data files.
 *
 * @module
 */

/** The forms of data files that `readExamples` knows. */
export const exampleFormats = [
  "jsonl",
  "tsv",
  "csv",
  "labelled",
  "lines",
  "paragraphs",
  "json",
  "members",
] as const;

/**
 * A form of data files:
 * - `jsonl`, `json`: an object a line, or one array of objects;
 * - `tsv`, `csv`: a table whose first line names the columns (csv with quotes as in RFC 4180, tsv without);
 * - `labelled`: `label text` a line, giving the fields `label` and `text`;
 * - `lines`, `paragraphs`: plain text, one `text` a line, or a paragraph between blank lines;
 * - `members`: one object, whose members that are objects are rows, and the items of those that are lists of objects (SQuAD, DROP).
 */
export type ExampleFormat = (typeof exampleFormats)[number];

/** Options of `readExamples`. */
export interface ReadExamplesOptions {
  /** Names the file in errors. Default "the data". */
  readonly name?: string;
  /** Names of the columns of a table without a first line that names them. */
  readonly columns?: readonly string[];
  /** What stands between the cells of a table: one character, or `tab`. Default: of csv told from its beginning, of tsv a tab. */
  readonly separator?: string;
}
