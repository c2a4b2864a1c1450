/**
 * Reads the objects of a JSON file: one per line, or the items of one array. The first character decides which.
 *
 * @module
 */
import { jsonRow } from "./json_row.ts";
import { LineSplitter, longestText } from "./line_splitter.ts";
import type { Row } from "./row.ts";

/** A row, and the line on which it begins. */
export interface PlacedRow {
  /** The row. */
  readonly row: Row;
  /** Number of its first line, from 1. */
  readonly line: number;
}

/** Reads the rows of a text that arrives in pieces. */
export interface RowReader {
  /** The rows that more text completes. */
  push(text: string): Iterable<PlacedRow>;
  /** The rows that the end completes. */
  end(): Iterable<PlacedRow>;
}

/** Reads the rows of JSON lines, or of one array of objects. */
export class JsonRows implements RowReader {
  readonly #name: string;
  #blank = "";
  #rows: RowReader | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  *push(text: string): Generator<PlacedRow> {
    let fresh = text;
    if (this.#rows === undefined) {
      const first = text.search(/[^ \t\r\n]/);
      if (first < 0) {
        // Blank lines are counted but not kept.
        this.#blank += text.replaceAll(/[^\n]/g, "");
        return;
      }
      fresh = this.#blank + text;
      this.#rows = text[first] === "[" ? new ArrayRows(this.#name) : new LineRows(this.#name);
    }
    yield* this.#rows.push(fresh);
  }

  *end(): Generator<PlacedRow> {
    if (this.#rows !== undefined) yield* this.#rows.end();
  }
}

/** Reads one object per line. */
class LineRows implements RowReader {
  readonly #name: string;
  readonly #lines: LineSplitter;

  constructor(name: string) {
    this.#name = name;
    this.#lines = new LineSplitter(name);
  }

  *push(text: string): Generator<PlacedRow> {
    for (const { line, number } of this.#lines.push(text)) {
      yield { row: jsonRow(line, number, this.#name), line: number };
    }
  }

  *end(): Generator<PlacedRow> {
    for (const { line, number } of this.#lines.end()) {
      yield { row: jsonRow(line, number, this.#name), line: number };
    }
  }
}

const [QUOTE, SLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN, CLOSE, FEED] = [...'"\\,[]{}\n'].map((
  it,
) => it.charCodeAt(0));

/** Reads the items of an array. Each is parsed when its brackets are closed. */
class ArrayRows implements RowReader {
  readonly #name: string;
  #line = 1;
  #state: "array" | "first" | "item" | "comma" | "done" = "array";
  /** Nesting depth within the item being read. */
  #depth = 0;
  #quoted = false;
  #escaped = false;
  #start = 1;
  #parts: string[] = [];
  #length = 0;

  constructor(name: string) {
    this.#name = name;
  }

  *push(text: string): Generator<PlacedRow> {
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === FEED) this.#line++;
      if (this.#depth === 0) {
        if (code <= 0x20) continue;
        if (this.#between(code, text.slice(at, at + 40))) {
          from = at;
          this.#depth = 1;
          this.#start = this.#line;
        }
      } else if (this.#quoted) {
        if (this.#escaped) this.#escaped = false;
        else if (code === SLASH) this.#escaped = true;
        else if (code === QUOTE) this.#quoted = false;
      } else if (code === QUOTE) this.#quoted = true;
      else if (code === OPEN || code === OPEN_LIST) this.#depth++;
      else if ((code === CLOSE || code === CLOSE_LIST) && --this.#depth === 0) {
        const item = this.#parts.join("") + text.slice(from, at + 1);
        [this.#parts, this.#length] = [[], 0];
        yield { row: jsonRow(item, this.#start, this.#name), line: this.#start };
      }
    }
    if (this.#depth > 0) {
      this.#parts.push(text.slice(from));
      this.#length += text.length - from;
      if (this.#length > longestText) {
        throw this.#refused(`an item is longer than ${longestText} characters`, this.#start);
      }
    }
  }

  end(): PlacedRow[] {
    if (this.#state === "done") return [];
    throw this.#depth > 0
      ? this.#refused("the item that begins there does not end: the file is truncated", this.#start)
      : this.#refused("the array is not closed by ]: the file is truncated");
  }

  /** Handles a character between items. Returns whether it begins an item. */
  #between(code: number, rest: string): boolean {
    const expected = this.#state;
    if (expected === "array") this.#state = "first";
    else if (expected === "done") {
      throw this.#refused(`there is something after the array: ${rest}`);
    } else if (code === CLOSE_LIST && expected !== "item") this.#state = "done";
    else if (expected === "comma") {
      if (code !== COMMA) throw this.#refused(`a comma is missing before ${rest}`);
      this.#state = "item";
    } else {
      if (code === CLOSE_LIST) throw this.#refused("there is a comma after the last item");
      if (code !== OPEN) throw this.#refused(`not an object: ${rest.trim()}`);
      this.#state = "comma";
      return true;
    }
    return false;
  }

  #refused(why: string, line = this.#line): SyntaxError {
    return new SyntaxError(`Cannot read ${this.#name}, line ${line}: ${why}`);
  }
}
