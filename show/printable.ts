/**
 * Makes text from files safe to show. On a terminal, it must not move the cursor, hide what follows, set the title or the clipboard, or change the
 * direction of the line; in an SVG, it must be valid XML.
 *
 * @module
 */

/**
 * Characters that are shown by their code: C0 and C1 controls except newline and tab, DEL, marks of direction, line separators, invisible tags, halves
 * of surrogate pairs, and noncharacters. A carriage return before a newline is part of the line end.
 */
const UNSEEN =
  /\r(?!\n)|(?![\t\n\r])\p{Cc}|[\u061c\u180e\u200e\u200f\u2028-\u202e\u2060-\u206f\ufff0-\ufffb\ufffe\uffff]|[\u{e0000}-\u{e007f}]|[\ud800-\udfff]/gu;

function shown(match: string): string {
  const code = match.codePointAt(0) ?? 0;
  const digits = code.toString(16).padStart(4, "0");
  return code > 0xffff ? `\\u{${digits}}` : `\\u${digits}`;
}

/**
 * The text with such characters replaced by escapes, for example `\u001b`. Newlines and tabs stay.
 *
 * @example A name that contains control characters
 * ```ts
 * import { printable } from "./printable.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(printable("blk\x1b[2J.weight\n"), "blk\\u001b[2J.weight\n");
 * ```
 */
export function printable(text: string): string {
  return text.replace(UNSEEN, shown);
}

const LONGEST_NAME = 100;
const LONGEST_MESSAGE = 4000;

/** A name from a file, such as that of a tensor or a column, shortened to about `most` characters (default 100). */
export function shortName(name: string, most: number = LONGEST_NAME): string {
  if (name.length <= most) return name;
  return `${name.slice(0, most - 20)}…${name.slice(-12)} (${name.length} characters)`;
}

/** A message for people, on one line, with very long quotations shortened and control characters escaped. */
export function message(text: string): string {
  const line = text.trimEnd().replace(/\r?\n/g, "\\n");
  const quotes = line.replace(/"[^"\s]{200,}"|[^"\s]{300,}/g, (quoted) => shortName(quoted, 200));
  return printable(shortName(quotes, LONGEST_MESSAGE));
}

/** Markup of an SVG, with characters escaped that XML forbids or that change the direction of text. */
export function svgMarkup(markup: string): string {
  return printable(markup);
}
