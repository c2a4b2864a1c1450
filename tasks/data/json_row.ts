/**
 * Parses a JSON object of a data file to a row, without silently losing anything, and with errors that quote the text.
 *
 * @module
 */
import { checkJsonText, JSON_BOUNDS } from "../../quant/files/json_bounds.ts";
import type { Row } from "./row.ts";

/**
 * The row for the text of an object. Integers that a number cannot represent exactly are kept as strings of digits.
 *
 * @param number Number of the line, for errors.
 * @throws {SyntaxError} with the line's number, for anything except an object, a duplicate key, a number out of range, or half of a surrogate pair.
 * @throws {RangeError} for an object that exceeds the limits of nesting and size in `JSON_BOUNDS.row`.
 */
export function jsonRow(text: string, number: number, name: string): Row {
  const refused = (why: string, cause?: unknown): SyntaxError =>
    new SyntaxError(`Cannot read ${name}, line ${number}: ${why}`, { cause });
  // Shorter texts cannot contain much.
  if (text.length > 2 ** 16) checkJsonText(text, JSON_BOUNDS.row, `${name}, line ${number}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
    if (/\d{16}|\d[eE]/.test(text)) value = exactNumbers(text);
  } catch (error) {
    throw refused(describeFault(text, error as Error), error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refused(`not an object: ${text.trim().slice(0, 40)}`);
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) throw refused(`the key ${JSON.stringify(twice)} occurs twice`);
  const half = /\\u[dD][89a-fA-F]/.test(text) ? halfCharacter(value) : undefined;
  if (half !== undefined) {
    throw refused(
      `${
        JSON.stringify(half.slice(0, 40))
      } has half of a surrogate pair, which is not a character: the text was cut there; fix it`,
    );
  }
  return value as Row;
}

/** The first string within a value that is not well-formed Unicode. */
function halfCharacter(value: unknown): string | undefined {
  if (typeof value === "string") return value.isWellFormed() ? undefined : value;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, item] of Object.entries(value)) {
    const found = key.isWellFormed() ? halfCharacter(item) : key;
    if (found !== undefined) return found;
  }
  return undefined;
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

function exactNumbers(text: string): unknown {
  const exact: Reviver = (key, value, { source }) => {
    if (typeof value !== "number" || source === undefined) return value;
    if (!Number.isFinite(value)) {
      throw new SyntaxError(
        `${source.slice(0, 40)} under ${JSON.stringify(key)} is beyond the largest number`,
      );
    }
    return /^-?\d+$/.test(source) && !Number.isSafeInteger(value) ? source : value;
  };
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
}

/** The first duplicate key in valid JSON, which JSON.parse does not report. */
function repeatedKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x7b) open.push(new Set());
    else if (code === 0x7d) open.pop();
    else if (code === 0x22) {
      const end = stringEnd(text, at);
      let next = end + 1;
      while (text.charCodeAt(next) <= 0x20) next++;
      if (text.charCodeAt(next) === 0x3a) {
        const written = text.slice(at + 1, end);
        const key: string = written.includes("\\") ? JSON.parse(`"${written}"`) : written;
        const keys = open[open.length - 1];
        if (keys?.has(key)) return key;
        keys?.add(key);
      }
      at = end;
    }
  }
  return undefined;
}

/** Index of the quotation mark that ends the string beginning at `from`, or the length of the text if there is none. */
function stringEnd(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

/** Index after the first object or array in a text. -1 if it does not end, undefined if the text does not begin with a bracket. */
function valueEnd(text: string): number | undefined {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"') at = stringEnd(text, at);
    else if (letter === "{" || letter === "[") depth++;
    else if (letter === "}" || letter === "]") depth--;
    if (depth === 0 && at < text.length && (letter === "}" || letter === "]")) return at + 1;
    if (depth <= 0 && letter.trim() !== "") return undefined;
  }
  return depth > 0 ? -1 : undefined;
}

/** Describes what is wrong with a line that should be an object, and what to do. */
function describeFault(text: string, error: Error): string {
  const end = valueEnd(text);
  if (end === -1) {
    return `the object does not end on this line: the file is truncated there, or its objects span several lines. Write one object per line (jq -c . does that), or one array [...] of all objects. It begins ${
      shown(text)
    }`;
  }
  if (end !== undefined) {
    const rest = text.slice(end).trim();
    if (rest === ",") {
      return "there is a comma after the object: remove it, or put [ and ] around all objects";
    }
    if (rest !== "") {
      return `there is something after the object: ${shown(rest)}; write one object per line`;
    }
    if (/[:,[]\s*-?(NaN|Infinity)\b/.test(text)) {
      return "NaN and Infinity are not JSON: leave the value out, or write null";
    }
    if (/^\s*\{\s*(u?'|\})/.test(text)) {
      return `keys and strings need double quotes: ${
        shown(text)
      } looks like Python; write it with json.dumps`;
    }
  }
  return error.message;
}

function shown(text: string): string {
  const start = text.trim();
  return start.length > 40 ? `${start.slice(0, 40)}...` : start;
}
