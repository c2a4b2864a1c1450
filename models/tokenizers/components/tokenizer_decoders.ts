/**
 * Decoders of a `tokenizer.json`: they turn tokens back into text.
 *
 * @module
 */
import { bytesOfLetters } from "./tokenizer_bytes.ts";
import { checkComponent, type ComponentConfig } from "./tokenizer_components.ts";
import { flag, list, record } from "../tokenizer_record.ts";
import {
  checkGrowth,
  growthLimit,
  insertion,
  patternOf,
  replaceMatches,
} from "./tokenizer_text.ts";

/** Transforms the texts of tokens. The results joined are the decoded text. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

const anyText = new TextDecoder("utf-8", { ignoreBOM: true });
const strictText = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Replacements for English spelling, in order. */
const joins: readonly (readonly [string, string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** Decoders by type. A `Sequence` applies several in order. */
const decoders: Readonly<Record<string, (config: ComponentConfig) => Decoder>> = {
  ByteLevel: () => (tokens) => {
    const bytes: number[] = [];
    for (const token of tokens) for (const byte of bytesOfLetters(token)) bytes.push(byte);
    return [anyText.decode(Uint8Array.from(bytes))];
  },
  WordPiece: (config) => {
    const prefix = insertion(config.prefix ?? "##", "prefix of WordPiece");
    const clean = flag(config.cleanup, "cleanup of WordPiece", true);
    return (tokens) =>
      tokens.map((token, i) => {
        const text = i === 0
          ? token
          : token.startsWith(prefix)
          ? token.slice(prefix.length)
          : ` ${token}`;
        return clean ? cleaned(text) : text;
      });
  },
  Metaspace: (config) => {
    const replacement = insertion(config.replacement ?? "\u2581", "replacement of Metaspace");
    const kept = config.prepend_scheme === "never" || config.add_prefix_space === false;
    return (tokens) =>
      tokens.map((token, i) => token.replaceAll(replacement, i === 0 && !kept ? "" : " "));
  },
  BPEDecoder: (config) => {
    const suffix = insertion(config.suffix ?? "</w>", "suffix of BPEDecoder");
    return (tokens) =>
      tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? "" : " "));
  },
  CTC: (config) => {
    const pad = insertion(config.pad_token ?? "<pad>", "pad_token of CTC");
    const space = insertion(config.word_delimiter_token ?? "|", "word_delimiter_token of CTC");
    const clean = flag(config.cleanup, "cleanup of CTC", true);
    return (tokens) =>
      tokens.filter((token, i) => token !== tokens[i - 1]).flatMap((token) => {
        const bare = token.replaceAll(pad, "");
        const text = clean ? cleaned(bare).replaceAll(space, " ") : bare;
        return text === "" ? [] : [text];
      });
  },
  Replace: (config) => {
    const pattern = patternOf(config.pattern, "Replace");
    const content = insertion(config.content, "content of Replace");
    return (tokens) =>
      tokens.map((token) => replaceMatches(token, pattern, content, growthLimit(token.length)));
  },
  Fuse: () => (tokens) => [tokens.join("")],
  Strip: (config) => {
    const content = insertion(config.content, "content of Strip");
    const [start, stop] = [config.start, config.stop].map((value) => count(value));
    return (tokens) =>
      tokens.map((token) => {
        const letters = [...token];
        let from = 0;
        while (from < Math.min(start, letters.length) && letters[from] === content) from++;
        let to = letters.length;
        while (to > from && letters.length - to < stop && letters[to - 1] === content) to--;
        return letters.slice(from, to).join("");
      });
  },
  ByteFallback: () => byteFallback,
};

const mostSteps = 256;

/**
 * The decoder that a part of `tokenizer.json` describes. A null decoder joins tokens with spaces.
 *
 * @throws {TypeError | RangeError} when the part is invalid.
 */
export function decoderOf(value: unknown): (tokens: readonly string[]) => string {
  if (value === null || value === undefined) return (tokens) => tokens.join(" ");
  const all = flatten(value, 0);
  if (all.length > mostSteps) {
    throw new RangeError(
      `Cannot load the tokenizer: ${all.length} decoders, at most ${mostSteps} are allowed`,
    );
  }
  return (tokens) => {
    const limit = growthLimit(lengthOf(tokens));
    return all.reduce<readonly string[]>((current, decode) => {
      const next = decode(current);
      checkGrowth(lengthOf(next), limit, "a decoder");
      return next;
    }, tokens).join("");
  };
}

/** Removes spaces before punctuation, as transformers does if a configuration requests it. */
export function cleaned(text: string): string {
  return joins.reduce((current, [from, to]) => current.replaceAll(from, to), text);
}

function flatten(value: unknown, depth: number): Decoder[] {
  const config = checkComponent("decoder", record(value, "a decoder"));
  if (config.type !== "Sequence") return [decoders[config.type](config)];
  if (depth > 16) throw new RangeError("Cannot load the tokenizer: its decoders nest too deep");
  return list(config.decoders, "decoders").flatMap((part) => flatten(part, depth + 1));
}

/** Converts byte tokens to the text of their bytes if that is valid UTF-8, otherwise to one replacement character per byte. */
function byteFallback(tokens: readonly string[]): string[] {
  const texts: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    try {
      texts.push(strictText.decode(Uint8Array.from(bytes)));
    } catch {
      for (const _ of bytes) texts.push("\uFFFD");
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
    if (byte === null) {
      flush();
      texts.push(token);
    } else bytes.push(Number.parseInt(byte[1], 16));
  }
  flush();
  return texts;
}

function lengthOf(tokens: readonly string[]): number {
  return tokens.reduce((sum, token) => sum + token.length, 0);
}

function count(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw new RangeError(
    `Cannot load the tokenizer: Strip cuts ${
      JSON.stringify(value)
    } characters, expected an integer of at least 0`,
  );
}
