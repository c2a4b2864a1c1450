/**
 * Long texts in tokens, a slice at a time: so that a text of any length is tokenised in bounded memory, and signals are served.
 *
 * The tokens are those of the whole text. A cut is taken only where tokens meet: the text around it, tokenised with and without what
 * follows, must agree on the tokens before the cut. For byte-pair encodings that is enough: a sequence of tokens is a text's own
 * if each pair of neighbours is what the tokenizer makes of the two together. Each slice is tokenised behind the context before its
 * cut, whose tokens are then taken off, and checked once more.
 *
 * @module
 */
import type { Tokenizer } from "../models/tokenizers/tokenizer.ts";
import type { Pause } from "./pause.ts";

/** Characters of a slice: what a slow tokenizer does in a quarter of a second. */
const sliceLength = 1 << 14;
/** Characters on either side of a cut that must agree on it. */
const contextLength = 256;
/** Places that are tried for a cut before a slice grows. */
const mostTries = 16;

/** Options of {@linkcode encodeLong}. */
export interface LongTextOptions {
  /** Where the event loop has its turn. */
  readonly pause?: Pause;
  /** Characters of a slice. Default 16,384. */
  readonly slice?: number;
  /** Called after each slice with the characters done. */
  readonly onProgress?: ((characters: number) => void) | undefined;
}

/** Whether a text is tokenised a slice at a time: {@linkcode encodeLong} of a shorter one takes no time to speak of. */
export function isLong(text: string): boolean {
  return text.length > sliceLength;
}

/** The tokens of a text, without special ones around it. @throws what tokenising throws, and the pause's signal */
export async function encodeLong(
  tokenizer: Tokenizer,
  text: string,
  options: LongTextOptions = {},
): Promise<number[]> {
  if (text.length <= (options.slice ?? sliceLength)) {
    return tokenizer.encode(text, { addSpecial: false });
  }
  const parts: number[][] = [];
  for await (const ids of encodeStream(tokenizer, [text], options)) parts.push(ids);
  return parts.flat();
}

/** A part of the text whose tokens are not certain before the next part has agreed with them. */
interface Slice {
  readonly context: string;
  readonly text: string;
  readonly ids: readonly number[];
}

/** The tokens of a text that comes in pieces. @throws what tokenising throws, and the pause's signal */
export async function* encodeStream(
  tokenizer: Tokenizer,
  pieces: AsyncIterable<string> | Iterable<string>,
  { pause, slice: wanted = sliceLength, onProgress }: LongTextOptions = {},
): AsyncGenerator<number[]> {
  const encode = (text: string): number[] => tokenizer.encode(text, { addSpecial: false });
  let waiting = "";
  let before: Slice | undefined;
  let context = "";
  let characters = 0;

  /** The tokens that are certain once a slice of this text follows. */
  const take = (text: string): number[] => {
    const ids = encode(context + text);
    const known = context === "" ? [] : encode(context);
    const agrees = beginsWith(ids, known) && known.at(-1) === before?.ids.at(-1);
    if (before === undefined || agrees) {
      const certain = before?.ids ?? [];
      before = { context, text, ids: ids.slice(known.length) };
      return [...certain];
    }
    // The cut was none: both are one slice.
    const joined = before.text + text;
    const all = encode(before.context + joined);
    const skipped = before.context === "" ? 0 : encode(before.context).length;
    before = { context: before.context, text: joined, ids: all.slice(skipped) };
    return [];
  };

  /** Takes slices off the waiting text while it is long enough. */
  async function* slices(): AsyncGenerator<number[]> {
    let length = wanted;
    while (waiting.length >= length + contextLength) {
      const cut = findCut(encode, waiting, length);
      if (cut === undefined) {
        length *= 2;
        continue;
      }
      const certain = take(waiting.slice(0, cut));
      if (certain.length > 0) yield certain;
      context = contextBefore(waiting, cut);
      waiting = waiting.slice(cut);
      characters += cut;
      onProgress?.(characters);
      if (pause?.due) await pause.rest();
      length = wanted;
    }
  }

  for await (const piece of pieces) {
    waiting += piece;
    yield* slices();
  }
  const rest = waiting === "" ? [] : take(waiting);
  if (rest.length > 0) yield rest;
  if (before !== undefined && before.ids.length > 0) yield [...before.ids];
}

/** A place near the end of the first `length` characters where tokens meet, if one is found. */
function findCut(
  encode: (text: string) => number[],
  text: string,
  length: number,
): number | undefined {
  let tries = 0;
  for (const cut of places(text, length)) {
    if (++tries > mostTries) return undefined;
    const left = contextBefore(text, cut);
    const ids = encode(left);
    const right = text.slice(cut, cut + contextLength);
    if (ids.length > 0 && beginsWith(encode(left + right), ids)) return cut;
  }
  return undefined;
}

/** Where to try, best first: before white space behind a word, then anywhere between whole characters. */
function* places(text: string, length: number): Generator<number> {
  const least = length >> 1;
  let count = 0;
  for (let at = length; at > least && count < mostTries / 2; at--) {
    if (isSpace(text[at]) && !isSpace(text[at - 1])) {
      count++;
      yield at;
    }
  }
  for (let at = length; at > least; at -= 37) {
    // No cut within a character, or between a letter and its marks.
    if (/^(?![\p{M}\u200d\ufe0f])[^\udc00-\udfff]/u.test(text.slice(at, at + 2))) yield at;
  }
}

/** What stands before a cut, from a word's beginning where there is one. */
function contextBefore(text: string, cut: number): string {
  const from = Math.max(0, cut - contextLength);
  for (let at = from; at < cut - contextLength / 2; at++) {
    if (isSpace(text[at]) && !isSpace(text[at - 1] ?? " ")) return text.slice(at, cut);
  }
  const low = text.charCodeAt(from);
  return text.slice(low >= 0xdc00 && low < 0xe000 ? from + 1 : from, cut);
}

function isSpace(letter: string): boolean {
  return /\s/.test(letter);
}

function beginsWith(ids: readonly number[], start: readonly number[]): boolean {
  return start.length <= ids.length && start.every((id, i) => ids[i] === id);
}
