/**
 * Data files as rows: JSON lines, tab- or comma-separated tables, `label text` lines and plain text. Pure functions over
 * text; reading the file is the caller's.
 *
 * @module
 */
import { readCsv } from "./csv.ts";
import type { Row } from "./row.ts";

/** The forms of data files that {@linkcode readExamples} knows. */
export const exampleFormats = ["jsonl", "tsv", "csv", "labelled", "lines", "paragraphs"] as const;

/**
 * A form of data files:
 * - `jsonl`: an object a line;
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
 * The rows of a data file's text. Empty lines are no rows.
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
 * ```
 */
export function readExamples(
  text: string,
  format: ExampleFormat,
  options: ReadExamplesOptions = {},
): Row[] {
  const name = options.name ?? "the data";
  const body = text.startsWith("\uFEFF") ? text.slice(1) : text;
  switch (format) {
    case "jsonl":
      return lines(body).map(({ line, number }) => jsonRow(line, number, name));
    case "tsv":
      return table(
        lines(body).map(({ line, number }) => ({ cells: line.split("\t"), number })),
        name,
        options.columns,
      );
    case "csv":
      return table(readCsv(body, name), name, options.columns);
    case "labelled":
      return lines(body).map(({ line, number }) => labelledRow(line, number, name));
    case "lines":
      return lines(body).map(({ line }) => ({ text: line }));
    case "paragraphs":
      return body.split(/\r?\n(?:[ \t]*\r?\n)+/).map((part) => part.trim()).filter((part) =>
        part !== ""
      )
        .map((part) => ({ text: part }));
    default:
      throw new RangeError(
        `Cannot read ${name}: unknown format ${JSON.stringify(format)}, known are ${
          exampleFormats.join(", ")
        }`,
      );
  }
}

interface Line {
  readonly line: string;
  readonly number: number;
}

function lines(text: string): Line[] {
  return text.split("\n")
    .map((line, index) => ({
      line: line.endsWith("\r") ? line.slice(0, -1) : line,
      number: index + 1,
    }))
    .filter(({ line }) => line.trim() !== "");
}

function jsonRow(line: string, number: number, name: string): Row {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new SyntaxError(`Cannot read ${name}, line ${number}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError(
      `Cannot read ${name}, line ${number}: not an object: ${line.slice(0, 40)}`,
    );
  }
  return value as Row;
}

function labelledRow(line: string, number: number, name: string): Row {
  const end = line.search(/\s/);
  if (end < 1) {
    throw new SyntaxError(
      `Cannot read ${name}, line ${number}: expected a label, a space and a text: ${
        line.slice(0, 40)
      }`,
    );
  }
  return { label: line.slice(0, end), text: line.slice(end).trim() };
}

function table(
  records: readonly { readonly cells: readonly string[]; readonly number: number }[],
  name: string,
  named: readonly string[] | undefined,
): Row[] {
  const [first, ...rest] = records;
  if (first === undefined) return [];
  const columns = named ?? first.cells;
  const repeated = columns.find((column, index) => columns.indexOf(column) !== index);
  if (repeated !== undefined) {
    throw new SyntaxError(
      `Cannot read ${name}, line ${first.number}: two columns are ${JSON.stringify(repeated)}`,
    );
  }
  return (named === undefined ? rest : records).map(({ cells, number }) => {
    if (cells.length !== columns.length) {
      throw new SyntaxError(
        `Cannot read ${name}, line ${number}: ${cells.length} cells, expected ${columns.length} (${
          columns.slice(0, 8).join(", ")
        })`,
      );
    }
    return Object.fromEntries(columns.map((column, i) => [column, cells[i]]));
  });
}
