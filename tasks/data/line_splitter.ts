/**
 * Splits text that arrives in pieces into lines.
 *
 * @module
 */

/** A line without its end, and its number, from 1. */
export interface Line {
  readonly line: string;
  readonly number: number;
}

/** Maximum length of a line, cell or object in characters. Longer ones mean that a file is damaged or has another format. */
export const longestText: number = 1 << 28;

/** Splits at `\n` and `\r\n` only. Other line separators of Unicode (NEL, U+2028) are text. */
export class LineSplitter {
  readonly #name: string;
  readonly #raw: boolean;
  #parts: string[] = [];
  #length = 0;
  #number = 1;

  /** `name` is the name of the file in errors. With `raw`, `\r` at line ends and blank lines are kept; otherwise both are dropped. */
  constructor(name: string, raw = false) {
    this.#name = name;
    this.#raw = raw;
  }

  /**
   * The lines that more text completes.
   *
   * @throws {SyntaxError} with the line's number, for a line that is too long.
   */
  *push(text: string): Generator<Line> {
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      const found = this.#line(text.slice(from, at));
      from = at + 1;
      this.#number++;
      if (found !== undefined) yield found;
    }
    if (from === text.length) return;
    this.#parts.push(text.slice(from));
    this.#length += text.length - from;
    if (this.#length > longestText) {
      throw new SyntaxError(
        `Cannot read ${this.#name}, line ${this.#number}: it is longer than ${longestText} characters`,
      );
    }
  }

  /** The last line, if the text does not end with a line end. */
  *end(): Generator<Line> {
    const found = this.#line("");
    if (found === undefined) return;
    // In files from old Macs, which have only carriage returns, the whole text would be one line.
    if (this.#number === 1 && /\r[^\r]+\r/.test(found.line)) {
      throw new SyntaxError(
        `Cannot read ${this.#name}, line 1: its lines end with carriage returns only; end them with line feeds (tr '\\r' '\\n')`,
      );
    }
    yield found;
  }

  #line(end: string): Line | undefined {
    let line = end;
    if (this.#parts.length > 0) {
      line = this.#parts.join("") + end;
      this.#parts = [];
      this.#length = 0;
    }
    if (this.#raw) return { line, number: this.#number };
    if (line.endsWith("\r")) line = line.slice(0, -1);
    return /^\s*$/.test(line) ? undefined : { line, number: this.#number };
  }
}
