/**
 * Comma-separated values (RFC 4180): cells in double quotes may hold commas, line ends and doubled quotes.
 *
 * @module
 */

/** A record of a table and the line it starts on, counted from 1. */
export interface CsvRecord {
  readonly cells: readonly string[];
  readonly number: number;
}

/** A cell, quoted or not, and what ends it; quotes inside an unquoted cell are left to the check below. */
const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

/**
 * The records of a table; empty lines are none.
 *
 * @throws SyntaxError with the line's number for a quote that is out of place or never closed.
 */
export function readCsv(text: string, name: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let cells: string[] = [];
  let number = 1;
  let start = 1;
  cell.lastIndex = 0;
  while (cell.lastIndex < text.length) {
    const at = cell.lastIndex;
    const match = cell.exec(text);
    if (match === null) {
      throw new SyntaxError(
        `Cannot read ${name}, line ${number}: misplaced or unclosed quote in ${
          JSON.stringify(text.slice(at, at + 40))
        }`,
      );
    }
    const [whole, quoted, plain, end] = match;
    cells.push(quoted?.replaceAll('""', '"') ?? plain);
    number += whole.split("\n").length - 1;
    if (end === ",") {
      if (cell.lastIndex < text.length) continue;
      cells.push("");
    }
    if (cells.length > 1 || cells[0] !== "") records.push({ cells, number: start });
    cells = [];
    start = number;
  }
  return records;
}
