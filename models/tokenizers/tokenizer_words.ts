/**
 * Words that come again: the tokens of a text are those of its words one after another, where the tokenizer never joins what
 * stands before a single space with the space, and cuts what is behind it by that alone. Then each word is tokenised once.
 *
 * Whether it is so is told from the tokenizer's parts; where it is not certain, nothing is kept.
 *
 * @module
 */
import { longestWord, nextHash, noHash, WordTable } from "./components/word_table.ts";
import type { TokenizerJson, TokenizerModel } from "./tokenizer_check.ts";
import { cutsAtSpaces } from "./tokenizer_pre.ts";

/** The tokens of a text without added tokens in it; `first` says whether it begins the whole text. */
export type Encode = (text: string, first: boolean) => readonly number[];

/** Characters of a text whose beginning is remembered: one text at a time. */
const longestBegun = 1 << 16;
const UNDERLINE = "\u2581";

/** `encode`, with words kept where that gives the same tokens; each list is the caller's own. */
export function encodeByWords(
  json: TokenizerJson,
  encode: Encode,
): (text: string, first: boolean) => number[] {
  const start = wordStart(json);
  if (start === undefined) return (text, first) => encode(text, first).slice();
  const space = start.charCodeAt(0);
  const table = new WordTable();
  // Texts often differ in their last words alone, as a prompt with each of its answers: then the tokens of the others are still there.
  let last = notBegun;
  // One list for all texts, of which each is given a copy: a list that grows by itself is copied more often, and ends longer than its tokens.
  const ids: number[] = [];

  return (text, first) => {
    // What is written over must not be taken for known, also where this text has an error.
    if (last.first !== first || !text.startsWith(last.text)) last = notBegun;
    let from = last.end;
    let count = last.count;
    let counted = count;
    let hash = noHash;
    let before = 0;
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === space && at > from && !isBlank(before) && !isBlank(text.charCodeAt(at + 1))) {
        count = take(count, text, from, at, first, hash);
        from = at;
        counted = count;
        hash = noHash;
      }
      hash = nextHash(hash, code);
      before = code;
    }
    count = take(count, text, from, text.length, first, hash);
    const own = ids.slice(0, count);
    if (text.length > longestBegun) {
      last = notBegun;
      ids.length = 0;
    } else if (from > 0) last = { text: text.slice(0, from + 2), first, end: from, count: counted };
    return own;
  };

  /** Puts the tokens of a word at `count`; where they end. */
  function take(
    count: number,
    text: string,
    from: number,
    to: number,
    first: boolean,
    hash: number,
  ): number {
    const begins = first && from === 0;
    const short = to - from <= longestWord;
    if (short) {
      const end = table.find(ids, count, text, from, to, Number(begins), hash);
      if (end >= 0) return end;
    }
    const tokens = encode(text.slice(from, to), begins);
    for (let i = 0; i < tokens.length; i++) ids[count + i] = tokens[i];
    if (short) table.keep(tokens, text, from, to, Number(begins), hash);
    return count + tokens.length;
  }
}

/** The words of a text but for its last one. */
interface Begun {
  /** Their text, and the two letters behind that make the cut one. */
  readonly text: string;
  readonly first: boolean;
  /** Where the last word begins. */
  readonly end: number;
  /** How many tokens they have. */
  readonly count: number;
}

const notBegun: Begun = { text: "", first: false, end: 0, count: 0 };

/** What begins the words of a tokenizer that can be taken one by one; undefined where they cannot. */
export function wordStart(
  { pre_tokenizer: cut, model }: TokenizerJson,
): " " | "\u2581" | undefined {
  if (cut !== null && cut !== undefined) return cutsAtSpaces(cut) ? " " : undefined;
  return model.type === "BPE" && keepsWordsApart(model) ? UNDERLINE : undefined;
}

/**
 * Whether merges never join what stands before the letter of spaces with it, so that a text that is not cut has the tokens of its words:
 * then no order of merges makes a difference either.
 */
function keepsWordsApart(model: TokenizerModel): boolean {
  const { vocab, merges = [] } = model;
  const plain = !model.ignore_merges && !model.continuing_subword_prefix &&
    !model.end_of_word_suffix;
  if (!plain || !Object.hasOwn(vocab, UNDERLINE)) return false;
  return merges.every(([left, right]) => /^\u2581*[^\u2581]*$/u.test(left + right));
}

/** Whether a letter is white space, stands for it, or does not show: wider than any tokenizer's own idea. */
function isBlank(code: number): boolean {
  if (code > 0x20 && code < 0x7f) return false;
  return code <= 0x20 || code >= 0x7f && code <= 0xa0 || code === 0xad || code === 0x1680 ||
    code >= 0x2000 && code <= 0x200f || code >= 0x2028 && code <= 0x202f ||
    code >= 0x205f && code <= 0x206f || code === 0x2581 || code === 0x3000 || code === 0xfeff ||
    Number.isNaN(code);
}
