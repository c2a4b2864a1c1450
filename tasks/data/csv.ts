/**
 * Parses comma-separated values (RFC 4180), also with other separators, with the library `csv-parse`. Cells in double quotes may contain commas, line
 * ends and doubled quotes. A misplaced or unclosed quote is an error.
 *
 * The library reads whole texts or Node.js streams. A text that arrives in pieces is therefore passed to it up to a line end at which all quotes are
 * closed.
 *
 * @module
 */
import { CsvError, parse } from "csv-parse/sync";
import { longestText } from "./line_splitter.ts";

/** Maximum number of cells per record, far more than in any real table. */
const mostCells = 1 << 16;

/** A record of a table, and the number of the line on which it starts, from 1. */
export interface CsvRecord {
  readonly cells: readonly string[];
  readonly number: number;
}

/** Parses the records of a text that arrives in pieces. Empty lines are skipped. */
export class CsvRecords {
  readonly #name: string;
  readonly #separator: string;
  #parts: string[] = [];
  #length = 0;
  #open = false;
  #line = 1;

  /** @param separator Separator of cells, one character. Default `,`. */
  constructor(name: string, separator = ",") {
    this.#name = name;
    this.#separator = separator;
  }

  /**
   * The records that more text completes.
   *
   * @throws {SyntaxError} with the line's number, for a misplaced quote, or a record that is too long or has too many cells.
   */
  push(text: string): CsvRecord[] {
    let cut = -1;
    for (let from = 0; from < text.length;) {
      const quote = text.indexOf('"', from);
      const end = quote < 0 ? text.length : quote;
      if (!this.#open) {
        const feed = text.slice(from, end).lastIndexOf("\n");
        if (feed >= 0) cut = from + feed;
      }
      if (quote >= 0) this.#open = !this.#open;
      from = end + 1;
    }
    const whole = cut < 0 ? [] : this.#read(this.#parts.join("") + text.slice(0, cut + 1));
    if (cut >= 0) [this.#parts, this.#length] = [[], 0];
    this.#parts.push(text.slice(cut + 1));
    this.#length += text.length - cut - 1;
    if (this.#length > longestText) {
      throw this.#refused(
        this.#line,
        `a record is longer than ${longestText} characters; a quote may be unclosed`,
      );
    }
    return whole;
  }

  /**
   * The remaining records.
   *
   * @throws {SyntaxError} with the line's number, for a misplaced or unclosed quote.
   */
  end(): CsvRecord[] {
    return this.#read(this.#parts.join(""));
  }

  /** The records of a text that ends with a complete record. */
  #read(text: string): CsvRecord[] {
    const wide = wideRecord(text, this.#separator);
    if (wide !== undefined) {
      throw this.#refused(
        this.#line + wide,
        `a record has more than ${mostCells} cells; is the separator right?`,
      );
    }
    const records: CsvRecord[] = [];
    const first = this.#line;
    // Number of lines of this text done, and of extra lines counted by the library, which counts \r\n within quotes twice.
    let done = 0;
    let more = 0;
    try {
      parse(text, {
        bom: false,
        delimiter: this.#separator,
        record_delimiter: ["\r\n", "\n", "\r"],
        relax_column_count: true,
        skip_empty_lines: true,
        on_record(cells: string[], { lines }) {
          let within = 0;
          for (const cell of cells) {
            const ends = lineEnds(cell);
            within += ends;
            if (ends > 0) more += cell.split("\r\n").length - 1;
          }
          done = lines - more;
          // A line with a single empty cell in quotes counts as empty.
          if (cells.length > 1 || cells[0] !== "") {
            records.push({ cells, number: first + done - 1 - within });
          }
          return null;
        },
      });
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      const unclosed = error.code === "CSV_QUOTE_NOT_CLOSED";
      const counted = Number(error.lines ?? done + more + 1) - more - done - 1;
      const lines = text.split(/\r\n|\n|\r/);
      const begun = done + lines.slice(done).findIndex((it) => it !== "");
      const within = unclosed ? 0 : endsCounted(text, begun, counted - (begun - done));
      const line = begun + within + 1;
      const near = lines[line - 1] ?? "";
      throw this.#refused(
        first + line - 1,
        unclosed
          ? `unclosed quote in ${shown(near)}`
          : `misplaced quote in ${shown(near)}: ${error.message}`,
      );
    }
    this.#line += lineEnds(text);
    return records;
  }

  #refused(line: number, why: string): SyntaxError {
    return new SyntaxError(`Cannot read ${this.#name}, line ${line}: ${why}`);
  }
}

/** Number of lines before the first record with too many cells, for which the library would need seconds and a gigabyte. Undefined if none has. */
function wideRecord(text: string, separator: string): number | undefined {
  if (text.length <= mostCells) return undefined;
  const between = separator.charCodeAt(0);
  let quoted = false;
  let cells = 0;
  let lines = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) quoted = !quoted;
    else if (code === 0x0a || code === 0x0d) {
      if (code === 0x0a || text.charCodeAt(at + 1) !== 0x0a) lines++;
      if (!quoted) cells = 0;
    } else if (code === between && !quoted && ++cells >= mostCells) return lines;
  }
  return undefined;
}

/**
 * The records of a whole table.
 *
 * @throws {SyntaxError} as {@linkcode CsvRecords}.
 */
export function readCsv(text: string, name: string): CsvRecord[] {
  const records = new CsvRecords(name);
  return [...records.push(text), ...records.end()];
}

/** Number of line ends, including those within quotes. */
function lineEnds(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0;
}

/** Number of line ends after the first `skipped` ones that correspond to `counted` in the library, which counts \r\n within quotes twice. */
function endsCounted(text: string, skipped: number, counted: number): number {
  let ends = 0;
  for (const [end] of [...text.matchAll(/\r\n|\n|\r/g)].slice(skipped)) {
    if (counted <= 0) break;
    counted -= end.length;
    ends++;
  }
  return ends;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}
