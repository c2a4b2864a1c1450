/**
 * Reads the objects within one JSON object, as in the files of SQuAD and DROP: its members, and the items of lists that are its members.
 *
 * @module
 */
import { jsonRow } from "./json_row.ts";
import { JsonRows, type PlacedRow, type RowReader } from "./json_rows.ts";
import { longestText } from "./line_splitter.ts";

const [QUOTE, SLASH, COLON, COMMA, OPEN_LIST, CLOSE_LIST, OPEN, CLOSE, FEED] = [...'"\\:,[]{}\n']
  .map((it) => it.charCodeAt(0));

/** What is expected next between values. */
type Expected = "root" | "first key" | "key" | "colon" | "value" | "first item" | "item" | "comma";

/**
 * Reads the rows of `{"a": {...}, "b": {...}}` and of `{"data": [{...}, {...}]}`. Strings and numbers next to them are ignored. A file that does not
 * begin with an object is read as JSON lines or an array.
 */
export class MemberRows implements RowReader {
  readonly #name: string;
  #line = 1;
  #expected: Expected | "end" = "root";
  #inList = false;
  /** Nesting depth within the current value: an object to keep, or a list within a list, which is skipped. */
  #depth = 0;
  #kept = false;
  #quoted = false;
  #escaped = false;
  /** Whether a number or word is being skipped. */
  #bare = false;
  #start = 1;
  #parts: string[] = [];
  #length = 0;
  #plain: RowReader | undefined;
  #blank = "";

  constructor(name: string) {
    this.#name = name;
  }

  *push(text: string): Generator<PlacedRow> {
    if (this.#plain !== undefined) return yield* this.#plain.push(text);
    if (this.#expected === "root") {
      const first = text.search(/[^ \t\r\n]/);
      if (first >= 0 && text[first] !== "{") {
        this.#plain = new JsonRows(this.#name);
        return yield* this.#plain.push(this.#blank + text);
      }
      if (first < 0) this.#blank += text.replaceAll(/[^\n]/g, "");
    }
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === FEED) this.#line++;
      if (this.#quoted) {
        if (this.#escaped) this.#escaped = false;
        else if (code === SLASH) this.#escaped = true;
        else if (code === QUOTE) this.#quoted = false;
      } else if (this.#depth === 0) {
        if (code <= 0x20) this.#bare = false;
        else if (this.#between(code, text.slice(at, at + 40))) from = at;
      } else if (code === QUOTE) this.#quoted = true;
      else if (code === OPEN || code === OPEN_LIST) this.#depth++;
      else if ((code === CLOSE || code === CLOSE_LIST) && --this.#depth === 0 && this.#kept) {
        const item = this.#parts.join("") + text.slice(from, at + 1);
        [this.#parts, this.#length] = [[], 0];
        yield { row: jsonRow(item, this.#start, this.#name), line: this.#start };
      }
    }
    if (this.#depth > 0 && this.#kept) {
      this.#parts.push(text.slice(from));
      this.#length += text.length - from;
      if (this.#length > longestText) {
        throw this.#refused(`an item is longer than ${longestText} characters`, this.#start);
      }
    }
  }

  *end(): Generator<PlacedRow> {
    if (this.#plain !== undefined) return yield* this.#plain.end();
    if (this.#expected === "end" || this.#expected === "root") return;
    throw this.#depth > 0
      ? this.#refused("the item that begins there does not end: the file is truncated", this.#start)
      : this.#refused("the object is not closed by }: the file is truncated");
  }

  /** Handles a character outside kept and skipped values. Returns whether it begins an object to keep. */
  #between(code: number, rest: string): boolean {
    const expected = this.#expected;
    const wrong = (): SyntaxError => this.#refused(`unexpected ${rest.trim()}`);
    switch (expected) {
      case "root":
        this.#expected = "first key";
        return false;
      case "end":
        throw this.#refused(`there is something after the object: ${rest}`);
      case "first key":
      case "key":
        if (code === CLOSE && expected === "first key") this.#expected = "end";
        else if (code === QUOTE) [this.#quoted, this.#expected] = [true, "colon"];
        else throw wrong();
        return false;
      case "colon":
        if (code !== COLON) throw wrong();
        this.#expected = "value";
        return false;
      case "comma":
        if (code === COMMA) this.#expected = this.#inList ? "item" : "key";
        else if (code === (this.#inList ? CLOSE_LIST : CLOSE)) {
          this.#expected = this.#inList ? "comma" : "end";
          this.#inList = false;
        } else if (!this.#bare) throw this.#refused(`a comma is missing before ${rest.trim()}`);
        else return false;
        this.#bare = false;
        return false;
      case "first item":
        if (code === CLOSE_LIST) {
          [this.#inList, this.#expected] = [false, "comma"];
          return false;
        }
    }
    // The value of a member, or an item of a list.
    this.#expected = "comma";
    if (code === OPEN || code === OPEN_LIST && this.#inList) {
      [this.#depth, this.#kept, this.#start] = [1, code === OPEN, this.#line];
      return code === OPEN;
    }
    if (code === OPEN_LIST) [this.#inList, this.#expected] = [true, "first item"];
    else if (code === QUOTE) this.#quoted = true;
    else if (/[-\w]/.test(rest[0])) this.#bare = true;
    else throw wrong();
    return false;
  }

  #refused(why: string, line = this.#line): SyntaxError {
    return new SyntaxError(`Cannot read ${this.#name}, line ${line}: ${why}`);
  }
}
