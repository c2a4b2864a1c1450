/**
 * Pre-tokenizers of a `tokenizer.json`: they split a text into the words that a model converts one by one.
 *
 * @module
 */
import { bytesAsLetters } from "./tokenizer_bytes.ts";
import { checkComponent, type ComponentConfig } from "./tokenizer_components.ts";
import { flag, list, record } from "../tokenizer_record.ts";
import {
  type Pattern,
  patternOf,
  placesOf,
  type Stretch,
  stretches,
  whitespace,
} from "./tokenizer_text.ts";

/** A part of a text. */
export interface Piece {
  readonly text: string;
  /** Whether it begins at the start of the whole text. */
  readonly first: boolean;
}

/** Splits pieces, and may change their text. */
export type Splitter = (pieces: readonly Piece[]) => readonly Piece[];

/** What happens to a match: it becomes a separate word, is removed, or is joined with a neighbour. */
const behaviors = {
  Isolated: (all: Stretch[]) => all,
  Removed: (all: Stretch[]) => all.filter(({ match }) => !match),
  Contiguous: (all: Stretch[]) => joined(all, (last, next) => last.match === next.match),
  MergedWithPrevious: (all: Stretch[]) => joined(all, (last, next) => next.match && !last.match),
  MergedWithNext: (all: Stretch[]) => joined(all, (last, next) => last.match && !next.match),
} as const;

/** GPT-2's expression, with Unicode white space. */
const gpt2 = placesOf(
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu,
);
const word = placesOf(
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
);
const punctuation = placesOf(/[\p{P}!-/:-@[-`{-~]/gu);
const digit = placesOf(/\p{N}/gu);

/** Splitters by type. A `Sequence` applies several in order. */
const splitters: Readonly<Record<string, (config: ComponentConfig) => Splitter>> = {
  ByteLevel: (config) => {
    const prefix = flag(config.add_prefix_space, "add_prefix_space of ByteLevel", false);
    const cut = flag(config.use_regex, "use_regex of ByteLevel", true)
      ? cutter(gpt2, "Isolated")
      : (piece: Piece) => [piece];
    return each((piece) =>
      cut(prefix && !piece.text.startsWith(" ") ? { ...piece, text: ` ${piece.text}` } : piece)
        .map(({ text, first }) => ({ text: bytesAsLetters(text), first }))
    );
  },
  Metaspace: metaspace,
  Split: (config) =>
    each(cutter(
      patternOf(config.pattern, "Split"),
      behaviorOf(config.behavior, "Split"),
      flag(config.invert, "invert of Split", false),
    )),
  Punctuation: (config) =>
    each(cutter(punctuation, behaviorOf(config.behavior ?? "Isolated", "Punctuation"))),
  Digits: (config) =>
    each(cutter(
      digit,
      flag(config.individual_digits, "individual_digits of Digits", false)
        ? "Isolated"
        : "Contiguous",
    )),
  Whitespace: () => each(cutter(word, "Removed", true)),
  WhitespaceSplit: () => each(cutter(whitespace, "Removed")),
  BertPreTokenizer: () => {
    const words = each(cutter(whitespace, "Removed"));
    const marks = each(cutter(punctuation, "Isolated"));
    return (pieces) => marks(words(pieces));
  },
  CharDelimiterSplit: (config) => {
    const delimiter = character(config.delimiter, "delimiter of CharDelimiterSplit");
    return each(cutter(patternOf({ String: delimiter }, "CharDelimiterSplit"), "Removed"));
  },
  FixedLength: (config) => {
    const length = config.length ?? 5;
    if (typeof length !== "number" || !Number.isInteger(length) || length < 1 || length > 2 ** 20) {
      throw new RangeError(
        `Cannot load the tokenizer: length of FixedLength is ${
          JSON.stringify(length)
        }, expected 1 or more`,
      );
    }
    return each(cutter(placesOf(new RegExp(`[\\s\\S]{1,${length}}`, "gu")), "Isolated"));
  },
};

const mostSteps = 256;

/**
 * The pre-tokenizer that a part of `tokenizer.json` describes. A null pre-tokenizer splits nothing.
 *
 * @throws {TypeError | RangeError} when the part is invalid.
 */
export function splitterOf(value: unknown): Splitter {
  const all = flatten(value, 0);
  if (all.length > mostSteps) {
    throw new RangeError(
      `Cannot load the tokenizer: ${all.length} pre-tokenizers, at most ${mostSteps} are allowed`,
    );
  }
  return (pieces) => all.reduce<readonly Piece[]>((current, split) => split(current), pieces);
}

function flatten(value: unknown, depth: number): Splitter[] {
  if (value === null || value === undefined) return [];
  const config = checkComponent("pre-tokenizer", record(value, "a pre-tokenizer"));
  if (config.type !== "Sequence") return [splitters[config.type](config)];
  if (depth > 16) {
    throw new RangeError("Cannot load the tokenizer: its pre-tokenizers nest too deep");
  }
  return list(config.pretokenizers, "pretokenizers").flatMap((part) => flatten(part, depth + 1));
}

/** Replaces spaces by a character, with which words then begin. */
function metaspace(config: ComponentConfig): Splitter {
  const replacement = character(config.replacement ?? "\u2581", "replacement of Metaspace");
  const declared = config.prepend_scheme ?? "always";
  if (declared !== "always" && declared !== "first" && declared !== "never") {
    throw new RangeError(
      `Cannot load the tokenizer: prepend_scheme of Metaspace is ${
        JSON.stringify(declared)
      }; expected one of always, first, never`,
    );
  }
  const prefix = flag(config.add_prefix_space, "add_prefix_space of Metaspace", true);
  if (!prefix && config.prepend_scheme !== undefined && declared !== "never") {
    throw new RangeError(
      `Cannot load the tokenizer: add_prefix_space of Metaspace is false, but its prepend_scheme is ${declared}`,
    );
  }
  const scheme = prefix ? declared : "never";
  const cut = flag(config.split, "split of Metaspace", true)
    ? cutter(patternOf({ String: replacement }, "Metaspace"), "MergedWithNext")
    : (piece: Piece) => [piece];
  return each(({ text, first }) => {
    const replaced = text.replaceAll(" ", () => replacement);
    const bare = !replaced.startsWith(replacement) &&
      (scheme === "always" || scheme === "first" && first);
    return cut({ text: bare ? replacement + replaced : replaced, first });
  });
}

/** Returns a function that splits a piece into stretches and treats matches according to `behavior`. */
function cutter(
  pattern: Pattern,
  behavior: keyof typeof behaviors,
  invert = false,
): (piece: Piece) => Piece[] {
  return ({ text, first }) => {
    const found = stretches(text, pattern);
    const all = invert ? found.map((it) => ({ ...it, match: !it.match })) : found;
    return behaviors[behavior](all)
      .map(({ start, end }) => ({ text: text.slice(start, end), first: first && start === 0 }));
  };
}

/** Applies a function to every piece, and drops empty pieces. */
function each(cut: (piece: Piece) => Piece[]): Splitter {
  return (pieces) => pieces.flatMap(cut).filter(({ text }) => text !== "");
}

/** Joins adjacent stretches for which `join` is true. When joined stretches are compared with the next one, the later one counts. */
function joined(all: Stretch[], join: (last: Stretch, next: Stretch) => boolean): Stretch[] {
  const result: Stretch[] = [];
  let last: Stretch | undefined;
  for (const next of all) {
    if (last && join(last, next)) {
      result[result.length - 1] = { ...result[result.length - 1], end: next.end };
    } else result.push(next);
    last = next;
  }
  return result;
}

function behaviorOf(value: unknown, where: string): keyof typeof behaviors {
  if (typeof value === "string" && Object.hasOwn(behaviors, value)) {
    return value as keyof typeof behaviors;
  }
  throw new RangeError(
    `Cannot load the tokenizer: behavior of ${where} is ${JSON.stringify(value)}; expected one of ${
      Object.keys(behaviors).join(", ")
    }`,
  );
}

/** A string of one character. */
function character(value: unknown, what: string): string {
  if (typeof value === "string" && [...value].length === 1) return value;
  throw new TypeError(
    `Cannot load the tokenizer: ${what} is ${JSON.stringify(value)}, expected one character`,
  );
}
