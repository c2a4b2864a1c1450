/**
 * Caches repeated words. The tokens of a text are those of its words one after another if the tokenizer never joins the text before a single space
 * with the space, and splits the text after it independently. Then each word needs to be tokenised only once.
 *
 * Whether this holds is determined from the tokenizer's components. If it is not certain, nothing is cached.
 *
 * @module
 */
import { longestWord, nextHash, noHash, WordTable } from "./components/word_table.ts";
import type { TokenizerJson, TokenizerModel } from "./tokenizer_check.ts";
import { cutsAtSpaces } from "./tokenizer_pre.ts";

/** Returns the tokens of a text without added tokens. `first` says whether it begins the whole text. */
export type Encode = (text: string, first: boolean) => readonly number[];

/** Maximum length of the cached beginning of the latest text, in characters. */
const longestBegun = 1 << 16;
const UNDERLINE = "\u2581";

/** Returns `encode` with a cache of words, if that gives the same tokens. The caller owns each returned array. */
export function encodeByWords(
  json: TokenizerJson,
  encode: Encode,
): (text: string, first: boolean) => number[] {
  const start = wordStart(json);
  if (start === undefined) return (text, first) => encode(text, first).slice();
  const space = start.charCodeAt(0);
  const table = new WordTable();
  // Consecutive texts often differ only in their last words, such as a prompt with each of its answers. The tokens of the others are then still
  // available.
  let last = notBegun;
  // One array for all texts, of which callers get copies. An array that grows on its own is copied more often, and ends up longer than needed.
  const ids: number[] = [];

  return (text, first) => {
    // Overwritten tokens must not be considered known, even if this text causes an error.
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

  /** Puts the tokens of a word at index `count`. Returns the index after them. */
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

/** The words of a text except its last one. */
interface Begun {
  /** Text of the words, and the two characters after them that determine the split. */
  readonly text: string;
  readonly first: boolean;
  /** Position of the last word. */
  readonly end: number;
  /** Number of tokens of the words. */
  readonly count: number;
}

const notBegun: Begun = { text: "", first: false, end: 0, count: 0 };

/** The character that begins the words of a tokenizer whose words can be encoded separately. Undefined if they cannot. */
export function wordStart(
  { pre_tokenizer: cut, model }: TokenizerJson,
): " " | "\u2581" | undefined {
  if (cut !== null && cut !== undefined) return cutsAtSpaces(cut) ? " " : undefined;
  return model.type === "BPE" && keepsWordsApart(model) ? UNDERLINE : undefined;
}

/**
 * Whether merges never join the character for spaces with what precedes it, so that the tokens of an unsplit text are those of its words. The order
 * of merges then makes no difference either.
 */
function keepsWordsApart(model: TokenizerModel): boolean {
  const { vocab, merges = [] } = model;
  const plain = !model.ignore_merges && !model.continuing_subword_prefix &&
    !model.end_of_word_suffix;
  if (!plain || !Object.hasOwn(vocab, UNDERLINE)) return false;
  return merges.every(([left, right]) => /^\u2581*[^\u2581]*$/u.test(left + right));
}

/** Whether a character is white space, stands for it, or is invisible. This includes more than any tokenizer's own definition. */
function isBlank(code: number): boolean {
  if (code > 0x20 && code < 0x7f) return false;
  return code <= 0x20 || code >= 0x7f && code <= 0xa0 || code === 0xad || code === 0x1680 ||
    code >= 0x2000 && code <= 0x200f || code >= 0x2028 && code <= 0x202f ||
    code >= 0x205f && code <= 0x206f || code === 0x2581 || code === 0x3000 || code === 0xfeff ||
    Number.isNaN(code);
}
