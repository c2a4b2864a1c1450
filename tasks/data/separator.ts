/**
 * The separator between the cells of a table.
 *
 * @module
 */
import { CsvRecords } from "./csv.ts";
import { longestText } from "./line_splitter.ts";
import type { PlacedRow, RowReader } from "./json_rows.ts";

/** Separators that can be detected. */
const known = [",", ";", "\t", "|"] as const;

/** Number of characters from which the separator is detected. */
const sampleLength = 1 << 16;

/**
 * Parses a separator: one character, or `tab` or `\t` for a tab.
 *
 * @throws {RangeError} for anything else, including quotation marks and line ends.
 */
export function separatorOf(written: string): string {
  const separator = written === "tab" || written === "\\t" ? "\t" : written;
  if (separator.length === 1 && !'"\r\n'.includes(separator)) return separator;
  throw new RangeError(
    `Cannot use ${
      JSON.stringify(written)
    } as the separator of a table: expected one character, such as ";", or tab`,
  );
}

/** Options for reading a table. */
export interface TableOptions {
  /** Name of the file in errors. */
  readonly name: string;
  /** Names of the columns, if the first line does not contain them. */
  readonly columns: readonly string[] | undefined;
  /** Separator. Undefined: detected from the beginning of the table. */
  readonly separator: string | undefined;
}

/**
 * A reader of comma-separated values with any separator. A first line such as `sep=;`, as written by spreadsheets, determines the separator.
 * Otherwise it is the one of `,`, `;`, tab and `|` that occurs outside quotes in the first record (if columns are named, the one that gives as many
 * cells). If several fit, it is the one with which all records in the first 65,536 characters have equally many cells.
 *
 * @param make Creates the reader for a separator.
 */
export function bySeparator(
  { separator, ...table }: TableOptions,
  make: (separator: string) => RowReader,
): RowReader {
  let reader: RowReader | undefined;
  let held = "";
  let wanted = sampleLength;
  const begin = (atEnd: boolean): Iterable<PlacedRow> => {
    const [line, said] = /^sep=([^\r\n"])\r?\n/i.exec(held) ?? [];
    // The line is replaced by an empty one, so that line numbers stay correct.
    if (line !== undefined) held = `\n${held.slice(line.length)}`;
    const found = separator ?? said ?? toldFrom(held.slice(0, wanted), atEnd, table);
    if (found === undefined) return [];
    reader = make(found);
    const text = held;
    held = "";
    return reader.push(text);
  };
  return {
    push(text) {
      if (reader !== undefined) return reader.push(text);
      held += text;
      while (held.length >= wanted && reader === undefined) {
        const rows = begin(false);
        if (reader !== undefined) return rows;
        // The first record is longer than the sample, so double it.
        wanted *= 2;
      }
      return [];
    },
    *end() {
      if (reader === undefined) yield* begin(true);
      if (reader !== undefined) yield* reader.end();
    },
  };
}

/**
 * Detects the separator from the beginning of a table. Undefined if the first record does not end within the text.
 *
 * @throws {SyntaxError} when several separators fit.
 */
function toldFrom(
  text: string,
  atEnd: boolean,
  { name, columns }: Omit<TableOptions, "separator">,
): string | undefined {
  if (columns?.length === 1) return ",";
  const read = known.map((separator) => ({ separator, ...countsOf(text, separator, atEnd) }));
  if (!atEnd && text.length <= longestText && read.every(({ open }) => open)) return undefined;
  const fits = (cells: number | undefined): boolean =>
    columns === undefined ? cells !== undefined && cells > 1 : cells === columns.length;
  const first = read.filter(({ counts }) => fits(counts[0]));
  if (first.length < 2) return first[0]?.separator ?? ",";
  const even = first.filter(({ counts, whole }) =>
    whole && counts.every((cells) => cells === counts[0])
  );
  if (even.length === 1) return even[0].separator;
  const names = first.map(({ separator }) => JSON.stringify(separator)).join(" and ");
  throw new SyntaxError(
    `Cannot read ${name}, line 1: ${names} could each be the separator between its cells: set task.separator`,
  );
}

/** Number of cells in each record of a text. `whole`: all could be read. `open`: not even the first record ends. */
function countsOf(text: string, separator: string, atEnd: boolean) {
  const records = new CsvRecords("", separator);
  const counts: number[] = [];
  let whole = true;
  // The first line is read separately, so that its record counts even if later ones cannot be read.
  const cut = text.indexOf("\n", text.search(/[^\s]/)) + 1;
  try {
    for (const part of [text.slice(0, cut), text.slice(cut)]) {
      for (const { cells } of records.push(part)) counts.push(cells.length);
    }
    if (atEnd) { for (const { cells } of records.end()) counts.push(cells.length); }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    whole = false;
  }
  return { counts, whole, open: whole && counts.length === 0 };
}
