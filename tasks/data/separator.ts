/**
 * What stands between the cells of a table.
 *
 * @module
 */
import { CsvRecords } from "./csv.ts";
import { longestText } from "./line_splitter.ts";
import type { PlacedRow, RowReader } from "./json_rows.ts";

/** Separators that are told apart by themselves. */
const known = [",", ";", "\t", "|"] as const;

/** Characters that the separator is told from. */
const sampleLength = 1 << 16;

/**
 * A separator as it is written: one character; `tab` and `\t` mean a tab.
 *
 * @throws RangeError for anything else, quotation marks and ends of lines among it.
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

/** How to read a table whose separator is not known yet. */
export interface TableOptions {
  /** Names the file in errors. */
  readonly name: string;
  /** Names of its columns, if its first line does not give them. */
  readonly columns: readonly string[] | undefined;
  /** Its separator; undefined: told from its beginning. */
  readonly separator: string | undefined;
}

/**
 * A reader of comma-separated values by whatever separates them. A first line `sep=;`, as spreadsheets write it, is obeyed. Else the separator is
 * the one of `,`, `;`, tab and `|` that the first record has outside of quotes (that gives as many cells as there are columns, where these are
 * named); of several, the one by which all records of the first 65,536 characters have as many cells.
 *
 * @param make the reader for a separator.
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
    // The line stays as an empty one, so that lines are counted right.
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
        // The first record is longer: look at twice as much.
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

/** The separator of a table that begins so; undefined when its first record does not end within. @throws SyntaxError when several fit */
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

/** How many cells the records of a text have; `whole` if all could be read, `open` if not even the first one ends. */
function countsOf(text: string, separator: string, atEnd: boolean) {
  const records = new CsvRecords("", separator);
  const counts: number[] = [];
  let whole = true;
  // By lines, so that a first record counts whatever comes behind it.
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
