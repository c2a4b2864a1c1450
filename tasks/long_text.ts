/**
 * Tokenises long texts one slice at a time, so that a text of any length takes bounded memory, and signals are handled in between.
 *
 * The tokens are those of the whole text. A cut is made only between tokens: the text before it must have the same tokens whether or not the text
 * after it follows. This is sufficient for byte-pair encodings, in which a sequence of tokens is that of a text if each pair of adjacent tokens is
 * what the tokenizer makes of the two together. Each slice is tokenised with the context before its cut; the tokens of the context are then removed
 * and checked once more.
 *
 * @module
 */
import type { Tokenizer } from "../models/tokenizers/tokenizer.ts";
import type { Pause } from "./pause.ts";

/** Characters per slice, which a slow tokenizer processes in a quarter of a second. */
const sliceLength = 1 << 14;
/** Characters on either side of a cut that are used to check it. */
const contextLength = 256;
/** Number of positions to try for a cut before the slice is made longer. */
const mostTries = 16;

/** Options of {@linkcode encodeLong}. */
export interface LongTextOptions {
  /** Lets the event loop run between slices. */
  readonly pause?: Pause;
  /** Characters per slice. Default 16,384. */
  readonly slice?: number;
  /** Called after each slice with the number of characters done. */
  readonly onProgress?: ((characters: number) => void) | undefined;
}

/** Whether a text is tokenised in several slices. For shorter texts, {@linkcode encodeLong} takes little time. */
export function isLong(text: string): boolean {
  return text.length > sliceLength;
}

/**
 * The tokens of a text, without special tokens around it.
 *
 * @throws any error of tokenising, and the reason of the pause's signal.
 */
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

/** A part of the text. Its tokens are certain only after those of the next part agree with them. */
interface Slice {
  readonly context: string;
  readonly text: string;
  readonly ids: readonly number[];
}

/**
 * The tokens of a text that arrives in pieces.
 *
 * @throws any error of tokenising, and the reason of the pause's signal.
 */
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

  /** Tokenises the next slice, and returns the tokens that have become certain. */
  const take = (text: string): number[] => {
    const ids = encode(context + text);
    const known = context === "" ? [] : encode(context);
    const agrees = beginsWith(ids, known) && known.at(-1) === before?.ids.at(-1);
    if (before === undefined || agrees) {
      const certain = before?.ids ?? [];
      before = { context, text, ids: ids.slice(known.length) };
      return [...certain];
    }
    // The cut was not between tokens, so both parts become one slice.
    const joined = before.text + text;
    const all = encode(before.context + joined);
    const skipped = before.context === "" ? 0 : encode(before.context).length;
    before = { context: before.context, text: joined, ids: all.slice(skipped) };
    return [];
  };

  /** Cuts slices off the waiting text while it is long enough. */
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

/** A position between two tokens near the end of the first `length` characters. Undefined if none is found. */
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

/** Positions to try, best first: before white space after a word, then between any characters. */
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
    // Do not cut within a character, or between a letter and its combining marks.
    if (/^(?![\p{M}\u200d\ufe0f])[^\udc00-\udfff]/u.test(text.slice(at, at + 2))) yield at;
  }
}

/** The text before a cut, from the beginning of a word if possible. */
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
