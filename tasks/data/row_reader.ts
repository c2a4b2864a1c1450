/**
 * Readers of rows for each format of data files, whose text arrives in pieces.
 *
 * @module
 */
import { CsvRecords } from "./csv.ts";
import { JsonRows, type PlacedRow, type RowReader } from "./json_rows.ts";
import { LineSplitter } from "./line_splitter.ts";
import { bySeparator, separatorOf, type TableOptions } from "./separator.ts";
import { MemberRows } from "./member_rows.ts";
import type { ExampleFormat, ReadExamplesOptions } from "./example_format.ts";

export type { PlacedRow, RowReader } from "./json_rows.ts";

/** A reader for the format. Undefined if the format is unknown. */
export function rowReader(
  format: ExampleFormat,
  { name = "the data", columns, separator }: ReadExamplesOptions,
): RowReader | undefined {
  const make = readers[format];
  if (separator !== undefined && format !== "csv" && format !== "tsv") {
    throw new RangeError(
      `Cannot read ${name}: a separator only applies to csv and tsv, but the format is ${format}`,
    );
  }
  const between = separator === undefined ? undefined : separatorOf(separator);
  return make && withoutMark(make({ name, columns, separator: between }));
}

type Columns = readonly string[] | undefined;

const readers: Readonly<Record<ExampleFormat, (options: TableOptions) => RowReader>> = {
  jsonl: ({ name }) => new JsonRows(name),
  json: ({ name }) => new JsonRows(name),
  tsv: ({ name, columns, separator = "\t" }) => {
    const table = new Table(name, columns);
    return byLines(name, (line, number) => {
      if (separator === "\t" && !table.begun) assertTabs(line, number, name);
      return table.row(line.split(separator), number);
    });
  },
  csv: (options) =>
    bySeparator(options, (separator) => {
      const records = new CsvRecords(options.name, separator);
      const table = new Table(options.name, options.columns);
      const rows = (found: ReturnType<CsvRecords["end"]>): PlacedRow[] =>
        found.map(({ cells, number }) => table.row(cells, number)).filter((row) =>
          row !== undefined
        );
      return { push: (text) => rows(records.push(text)), end: () => rows(records.end()) };
    }),
  labelled: ({ name }) => byLines(name, (line, number) => labelled(line, number, name)),
  lines: ({ name }) => byLines(name, (line, number) => ({ row: { text: line }, line: number })),
  paragraphs: ({ name }) => new Paragraphs(name),
  members: ({ name }) => new MemberRows(name),
};

/** Rejects a line of column names that has another separator than tabs. */
function assertTabs(line: string, number: number, name: string): void {
  const other = line.includes("\t") ? undefined : /[,;|]/.exec(line)?.[0];
  if (other !== undefined) {
    throw new SyntaxError(
      `Cannot read ${name}, line ${number}: it names the columns and has no tabs, but ${
        JSON.stringify(other)
      }: set task.format csv, or task.separator`,
    );
  }
}

/** Drops a byte order mark, which texts may still have if they were not read from a file. */
function withoutMark(reader: RowReader): RowReader {
  let begun = false;
  return {
    push(text) {
      if (begun || text === "") return reader.push(text);
      begun = true;
      return reader.push(text.startsWith("\uFEFF") ? text.slice(1) : text);
    },
    end: () => reader.end(),
  };
}

/** A reader that makes at most one row per line. */
function byLines(
  name: string,
  rowOf: (line: string, number: number) => PlacedRow | undefined,
): RowReader {
  const lines = new LineSplitter(name);
  function* rows(found: ReturnType<LineSplitter["end"]>): Generator<PlacedRow> {
    for (const { line, number } of found) {
      const row = rowOf(line, number);
      if (row !== undefined) yield row;
    }
  }
  return { push: (text) => rows(lines.push(text)), end: () => rows(lines.end()) };
}

function labelled(line: string, number: number, name: string): PlacedRow {
  const end = line.search(/\s/);
  if (end < 1) {
    throw new SyntaxError(
      `Cannot read ${name}, line ${number}: expected a label, a space and a text: ${
        line.slice(0, 40)
      }`,
    );
  }
  return { row: { label: line.slice(0, end), text: line.slice(end).trim() }, line: number };
}

/** Converts records to rows by the names of the columns, which the first record contains unless they are given. */
class Table {
  readonly #name: string;
  #columns: Columns;

  constructor(name: string, columns: Columns) {
    this.#name = name;
    this.#columns = columns && this.#checked(columns, 1);
  }

  /** Whether the names of the columns are known. */
  get begun(): boolean {
    return this.#columns !== undefined;
  }

  row(cells: readonly string[], number: number): PlacedRow | undefined {
    const columns = this.#columns;
    if (columns === undefined) {
      this.#columns = this.#checked(cells, number);
      return undefined;
    }
    if (cells.length !== columns.length) {
      throw new SyntaxError(
        `Cannot read ${this.#name}, line ${number}: ${cells.length} cells, expected ${columns.length} (${
          columns.slice(0, 8).join(", ")
        })`,
      );
    }
    const row = Object.fromEntries(columns.map((column, i) => [column, cells[i]]));
    return { row, line: number };
  }

  #checked(columns: readonly string[], number: number): readonly string[] {
    const seen = new Set<string>();
    for (const column of columns) {
      if (seen.has(column)) {
        throw new SyntaxError(
          `Cannot read ${this.#name}, line ${number}: two columns are named ${
            JSON.stringify(column)
          }`,
        );
      }
      seen.add(column);
    }
    return columns;
  }
}

/** Reads the texts between blank lines. */
class Paragraphs implements RowReader {
  readonly #lines: LineSplitter;
  #held: string[] = [];
  #first = 1;

  constructor(name: string) {
    this.#lines = new LineSplitter(name, true);
  }

  *push(text: string): Generator<PlacedRow> {
    for (const { line, number } of this.#lines.push(text)) yield* this.#add(line, number);
  }

  *end(): Generator<PlacedRow> {
    for (const { line, number } of this.#lines.end()) yield* this.#add(line, number);
    yield* this.#add("", 0);
  }

  *#add(line: string, number: number): Generator<PlacedRow> {
    if (!/^[ \t]*\r?$/.test(line)) {
      if (this.#held.length === 0) this.#first = number;
      this.#held.push(line);
      return;
    }
    const text = this.#held.join("\n").trim();
    this.#held = [];
    if (text !== "") yield { row: { text }, line: this.#first };
  }
}
