/**
 * Comma-separated values (RFC 4180; by other separators too): cells in double quotes may hold commas, line ends and doubled quotes; a quote that is
 * out of place or never closed is an error.
 *
 * A text that comes in pieces is read up to a line's end where all quotes are closed. Lines without quotes are cut as a whole, which is several times
 * faster than to go letter by letter as libraries do; the library `csv-parse` judges the result in tests.
 *
 * @module
 */
import { longestText } from "./line_splitter.ts";

/** Cells of a record, above any table that people make. */
const mostCells = 1 << 16;

/** A record of a table and the line it starts on, counted from 1. */
export interface CsvRecord {
  readonly cells: readonly string[];
  readonly number: number;
}

/** Records of a text that comes in pieces; empty lines are none. */
export class CsvRecords {
  readonly #name: string;
  readonly #separator: string;
  #parts: string[] = [];
  #length = 0;
  #open = false;
  #line = 1;

  /** @param separator what stands between cells; a character. */
  constructor(name: string, separator = ",") {
    this.#name = name;
    this.#separator = separator;
  }

  /** The records that more text completes. @throws SyntaxError with the line's number for a quote out of place */
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

  /** The last record. @throws SyntaxError with the line's number for a quote out of place, or never closed */
  end(): CsvRecord[] {
    return this.#read(this.#parts.join(""));
  }

  /** The records of a text that ends with one. */
  #read(text: string): CsvRecord[] {
    const [feed, carriage] = [placesOf(text, "\n"), placesOf(text, "\r")];
    const [quote, between] = [placesOf(text, '"'), placesOf(text, this.#separator)];
    const behind = `${this.#separator}\r\n`;
    const records: CsvRecord[] = [];
    for (let at = 0; at < text.length;) {
      const [begun, number] = [at, this.#line];
      let end = Math.min(feed(at), carriage(at));
      let cells: string[];
      if (quote(at) >= end) {
        cells = text.slice(at, end).split(this.#separator, mostCells + 1);
      } else {
        cells = [];
        do {
          if (text[at] !== '"') {
            end = Math.min(between(at), feed(at), carriage(at));
            if (quote(at) < end) throw this.#misplaced(text, quote(at));
            cells.push(text.slice(at, end));
          } else {
            let cell = "";
            for (let from = at + 1;; from = end + 1) {
              const close = quote(from);
              if (close === text.length) {
                throw this.#refused(number, `unclosed quote in ${shown(text, begun)}`);
              }
              end = close + 1;
              cell += text.slice(from, close);
              if (text[end] !== '"') break;
              cell += '"';
            }
            this.#line += lineEnds(cell);
            cells.push(cell);
            if (end < text.length && !behind.includes(text[end])) {
              throw this.#misplaced(text, end - 1);
            }
          }
          at = end + 1;
        } while (text[end] === this.#separator && cells.length <= mostCells);
      }
      if (cells.length > mostCells) {
        throw this.#refused(
          number,
          `a record has more than ${mostCells} cells; is the separator right?`,
        );
      }
      // A cell of an empty text in quotes is an empty line.
      if (cells.length > 1 || cells[0] !== "") records.push({ cells, number });
      if (end < text.length) this.#line++;
      at = end + (text[end] === "\r" && text[end + 1] === "\n" ? 2 : 1);
    }
    return records;
  }

  #misplaced(text: string, place: number): SyntaxError {
    return this.#refused(
      this.#line,
      `misplaced quote in ${
        shown(text, place)
      }; a cell that holds quotes is itself put in quotes, and each quote in it is doubled`,
    );
  }

  #refused(line: number, why: string): SyntaxError {
    return new SyntaxError(`Cannot read ${this.#name}, line ${line}: ${why}`);
  }
}

/** The first place from one on, which only grows, where a letter is; the text's length where there is none. */
function placesOf(text: string, letter: string): (from: number) => number {
  let next = -1;
  return (from) => {
    if (next < from) {
      const found = text.indexOf(letter, from);
      next = found < 0 ? text.length : found;
    }
    return next;
  };
}

/** The records of a whole table. @throws SyntaxError as {@linkcode CsvRecords} does */
export function readCsv(text: string, name: string): CsvRecord[] {
  const records = new CsvRecords(name);
  return [...records.push(text), ...records.end()];
}

/** Line ends, those within quotes too. */
function lineEnds(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0;
}

/** The line that a place is on, or its beginning. */
function shown(text: string, place: number): string {
  const start = 1 + Math.max(...["\n", "\r"].map((end) => text.slice(0, place).lastIndexOf(end)));
  const [line] = text.slice(start, start + 41).split(/[\r\n]/, 1);
  return JSON.stringify(line.length > 40 ? `${line.slice(0, 40)}...` : line);
}
