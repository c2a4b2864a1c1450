/**
 * The formats of data files.
 *
 * @module
 */

/** The formats of data files that `readExamples` supports. */
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
 * A format of data files:
 * - `jsonl`, `json`: one object per line, or one array of objects;
 * - `tsv`, `csv`: a table whose first line names the columns (csv with quotes as in RFC 4180, tsv without);
 * - `labelled`: one `label text` per line, giving the fields `label` and `text`;
 * - `lines`, `paragraphs`: plain text, one `text` per line, or one per paragraph between blank lines;
 * - `members`: one object, whose members are rows if they are objects; if they are lists of objects, the items are rows (SQuAD, DROP).
 */
export type ExampleFormat = (typeof exampleFormats)[number];

/** Options of `readExamples`. */
export interface ReadExamplesOptions {
  /** Name of the file in errors. Default "the data". */
  readonly name?: string;
  /** Names of a table's columns, if its first line does not contain them. */
  readonly columns?: readonly string[];
  /** Separator of a table's cells: one character, or `tab`. Default: for csv detected from the beginning of the file, for tsv a tab. */
  readonly separator?: string;
}
