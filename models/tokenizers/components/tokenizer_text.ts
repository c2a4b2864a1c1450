/**
 * Functions for text within a tokenizer: matches of expressions as found by the Rust library, and limits on the growth of a text.
 *
 * @module
 */
import { SplitPreTokenizer } from "@huggingface/tokenizers";
import { matchesOf, programOf } from "../expressions/tokenizer_automaton.ts";
import { parseExpression } from "../expressions/tokenizer_expression.ts";
import { isKnownExpression } from "../tokenizer_pre.ts";
import { record } from "../tokenizer_record.ts";
import { checkRegex } from "../expressions/tokenizer_regex.ts";

/** Finds [start, end) positions in a text, in order. */
export type Pattern = (text: string) => Iterable<readonly [number, number]>;

/** A stretch of a text that is a match or lies between matches. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly match: boolean;
}

/** Maximum length of a `content`, a `prepend` or a template's token, in characters. */
const longestInsertion = 4096;

/** White space according to Unicode, as in Rust. JavaScript's `\s` also contains U+FEFF and lacks U+0085. */
export const whitespace: Pattern = placesOf(/\p{White_Space}/gu);

/** The positions matched by one of this library's expressions. */
export function placesOf(expression: RegExp): Pattern {
  return function* (text) {
    for (const match of text.matchAll(expression)) {
      yield [match.index, match.index + match[0].length];
    }
  };
}

/** The maximum number of characters that a component may produce from `length` characters. */
export function growthLimit(length: number): number {
  return 64 * length + 4096;
}

/** @throws {RangeError} when a text exceeds the limit. */
export function checkGrowth(length: number, limit: number, what: string): void {
  if (length > limit) {
    throw new RangeError(
      `Cannot tokenise: ${what} expands the text to ${length} characters or more, at most ${limit} are allowed`,
    );
  }
}

/**
 * A string that a component inserts.
 *
 * @throws {TypeError} when it is not a string.
 * @throws {RangeError} when it has more than 4096 characters.
 */
export function insertion(value: unknown, what: string): string {
  if (typeof value !== "string") {
    throw new TypeError(
      `Cannot load the tokenizer: ${what} is ${
        JSON.stringify(value) ?? "missing"
      }, expected a string`,
    );
  }
  if (value.length > longestInsertion) {
    throw new RangeError(
      `Cannot load the tokenizer: ${what} has ${value.length} characters, at most ${longestInsertion} are allowed`,
    );
  }
  return value;
}

/**
 * Compiles a `pattern`: `{ String }` or `{ Regex }`, the latter in Oniguruma's syntax, which the engine translates. Expressions of known tokenizers
 * are run by JavaScript; all others are run without backtracking.
 */
export function patternOf(value: unknown, where: string): Pattern {
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
      }, expected a string`,
    );
  }
  if (kind === "String") {
    return placesOf(new RegExp(source.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"), "gu"));
  }
  checkRegex(source, where);
  try {
    const { pattern } = new SplitPreTokenizer({
      type: "Split",
      pattern: { Regex: source },
      behavior: "Isolated",
      invert: false,
    });
    if (pattern !== null) return isKnownExpression(source) ? placesOf(pattern) : bounded(pattern);
  } catch (cause) {
    if (cause instanceof RangeError) throw cause;
    throw new TypeError(
      `Cannot load the tokenizer: the expression of ${where} cannot be parsed: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
  throw new TypeError(`Cannot load the tokenizer: the expression of ${where} cannot be parsed`);

  function bounded({ source }: RegExp): Pattern {
    const program = programOf(parseExpression(source, where), where);
    return (text) => matchesOf(program, text, where);
  }
}

/** Splits a text into matches and the stretches between them. Empty matches count, except directly after another match. */
export function stretches(text: string, pattern: Pattern): Stretch[] {
  const found: Stretch[] = [];
  let end = 0;
  let last = -1;
  for (const [start, stop] of pattern(text)) {
    if (start === stop && start === last) continue;
    if (start > end) found.push({ start: end, end: start, match: false });
    found.push({ start, end: stop, match: true });
    end = last = stop;
  }
  if (end < text.length) found.push({ start: end, end: text.length, match: false });
  return found;
}

/** Replaces every match by `content`, taken literally. @throws {RangeError} when the text grows beyond the limit. */
export function replaceMatches(
  text: string,
  pattern: Pattern,
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
