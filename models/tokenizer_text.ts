/**
 * Text on its way through a tokenizer: matches of expressions as the Rust library finds them, and how far a component
 * may grow a text.
 *
 * @module
 */
import { SplitPreTokenizer } from "@huggingface/tokenizers";
import { record } from "./tokenizer_record.ts";
import { checkRegex } from "./tokenizer_regex.ts";

/** A stretch of a text that is a match, or what lies between matches. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly match: boolean;
}

/** Characters of a `content`, `prepend` or a template's token, at most. */
const longestInsertion = 4096;

/** White space as Unicode (and so Rust) has it; JavaScript's `\s` also has U+FEFF and lacks U+0085. */
export const whitespace: RegExp = /\p{White_Space}/gu;

/** The most characters that a component may make of `length`. */
export function growthLimit(length: number): number {
  return 64 * length + 4096;
}

/** @throws RangeError for a text beyond the limit. */
export function checkGrowth(length: number, limit: number, what: string): void {
  if (length > limit) {
    throw new RangeError(
      `Cannot tokenise: ${what} grows the text to ${length} characters and more, at most ${limit} are allowed`,
    );
  }
}

/** A text that a component inserts. @throws TypeError for another value, RangeError for a text of more than 4096 characters. */
export function insertion(value: unknown, what: string): string {
  if (typeof value !== "string") {
    throw new TypeError(
      `Cannot load the tokenizer: ${what} is ${
        JSON.stringify(value) ?? "missing"
      }, expected a text`,
    );
  }
  if (value.length > longestInsertion) {
    throw new RangeError(
      `Cannot load the tokenizer: ${what} has ${value.length} characters, at most ${longestInsertion} are taken`,
    );
  }
  return value;
}

/** A `pattern`: `{ String }` or `{ Regex }`, the latter in Oniguruma's syntax, which the engine translates. */
export function patternOf(value: unknown, where: string): RegExp {
  const pattern = record(value, `the pattern of ${where}`);
  const [[kind, source], ...more] = Object.entries(pattern).length > 0
    ? Object.entries(pattern)
    : [["", undefined]];
  if (more.length > 0 || kind !== "String" && kind !== "Regex") {
    throw new TypeError(
      `Cannot load the tokenizer: the pattern of ${where} is neither Regex nor String`,
    );
  }
  if (typeof source !== "string" || source === "") {
    throw new TypeError(
      `Cannot load the tokenizer: ${kind} of ${where} is ${
        JSON.stringify(source)
      }, expected a text`,
    );
  }
  if (kind === "String") return new RegExp(source.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"), "gu");
  checkRegex(source, where);
  try {
    const { pattern } = new SplitPreTokenizer({
      type: "Split",
      pattern: { Regex: source },
      behavior: "Isolated",
      invert: false,
    });
    if (pattern !== null) return pattern;
  } catch (cause) {
    throw new TypeError(
      `Cannot load the tokenizer: the expression of ${where} is not understood: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
  throw new TypeError(`Cannot load the tokenizer: the expression of ${where} is not understood`);
}

/** The whole text as matches and what lies between them. Empty matches count, but not right behind another match. */
export function stretches(text: string, pattern: RegExp): Stretch[] {
  const found: Stretch[] = [];
  let end = 0;
  let last = -1;
  for (const match of text.matchAll(pattern)) {
    const start = match.index;
    const stop = start + match[0].length;
    if (start === stop && start === last) continue;
    if (start > end) found.push({ start: end, end: start, match: false });
    found.push({ start, end: stop, match: true });
    end = last = stop;
  }
  if (end < text.length) found.push({ start: end, end: text.length, match: false });
  return found;
}

/** Every match replaced by `content` as it is. @throws RangeError when the text grows beyond the limit. */
export function replaceMatches(
  text: string,
  pattern: RegExp,
  content: string,
  limit: number,
): string {
  let result = "";
  for (const { start, end, match } of stretches(text, pattern)) {
    result += match ? content : text.slice(start, end);
    checkGrowth(result.length, limit, "Replace");
  }
  return result;
}
