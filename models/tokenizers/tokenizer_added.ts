/**
 * Added tokens: strings that are found in a text before anything else, each of which becomes one token.
 *
 * @module
 */
import type { AddedToken } from "./tokenizer_check.ts";

/** A stretch of text, or a token that was found. */
export type Found = { readonly text: string; readonly start: number } | { readonly id: number };

/** Finds tokens in a text. */
export type TokenFinder = (text: string) => Found[];

interface Node {
  readonly next: Map<string, Node>;
  token?: AddedToken;
}

const endsWithWord = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const startsWithWord = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const isSpace = /^\p{White_Space}$/u;

/**
 * Finds `tokens` by the strings that `spelling` returns: the leftmost first and, at the same position, the longest. `single_word` tokens that touch a
 * word are not matched. `lstrip` and `rstrip` include the adjacent white space.
 */
export function tokenFinder(
  tokens: readonly AddedToken[],
  spelling: (token: AddedToken) => string,
): TokenFinder {
  const root: Node = { next: new Map() };
  for (const token of tokens) {
    let node = root;
    const text = spelling(token);
    for (let i = 0; i < text.length; i++) {
      let next = node.next.get(text[i]);
      if (next === undefined) node.next.set(text[i], next = { next: new Map() });
      node = next;
    }
    if (node !== root) node.token = token;
  }
  const first = firstLetters([...root.next.keys()]);
  return (text) => {
    const found: Found[] = [];
    let done = 0;
    for (let at = 0; at < text.length;) {
      at = first(text, at);
      if (at < 0) break;
      const match = longest(root, text, at);
      if (match === undefined) {
        at++;
        continue;
      }
      const { token, end } = match;
      const touching = token.single_word === true &&
        (endsWithWord.test(text.slice(Math.max(0, at - 2), at)) ||
          startsWithWord.test(text.slice(end, end + 2)));
      if (!touching) {
        let start = at;
        let stop = end;
        if (token.lstrip === true) {
          while (start > 0 && isSpace.test(text[start - 1])) start--;
          start = Math.max(start, done);
        }
        if (token.rstrip === true) {
          while (stop < text.length && isSpace.test(text[stop])) stop++;
        }
        if (start > done) found.push({ text: text.slice(done, start), start: done });
        // A token within the white space of the previous one is still found; white space after it is text again.
        if (start < stop) {
          found.push({ id: token.id });
          done = stop;
        }
      }
      at = end;
    }
    if (done < text.length) found.push({ text: text.slice(done), start: done });
    return found;
  };
}

/** Returns a function that finds the next of some code units from a position on, or -1. */
function firstLetters(letters: readonly string[]): (text: string, from: number) => number {
  if (letters.length === 0) return () => -1;
  if (letters.length === 1) return (text, from) => text.indexOf(letters[0], from);
  const hex = (letter: string): string => letter.charCodeAt(0).toString(16).padStart(4, "0");
  // By code units, because the tokens' strings are compared that way.
  const any = new RegExp(`[${letters.map((letter) => `\\u${hex(letter)}`).join("")}]`, "g");
  return (text, from) => {
    any.lastIndex = from;
    return any.exec(text)?.index ?? -1;
  };
}

function longest(
  root: Node,
  text: string,
  at: number,
): { token: AddedToken; end: number } | undefined {
  let best: { token: AddedToken; end: number } | undefined;
  let node: Node | undefined = root;
  for (let i = at; i < text.length && node !== undefined; i++) {
    node = node.next.get(text[i]);
    if (node?.token !== undefined) best = { token: node.token, end: i + 1 };
  }
  return best;
}
