/**
 * Small tokenizers, each with one component in an unusual setting: what `tokenizer_vectors.ts` writes the answers of the Rust
 * library for, and `tokenizer_components_test.ts` compares.
 *
 * @module
 */
import { charsmap } from "./charsmap.ts";

/** One tokenizer. */
export interface TokenizerCase {
  /** Kind, component and setting. */
  readonly name: string;
  /** Contents of `tokenizer.json`. */
  readonly json: Record<string, unknown>;
  /** Whether ids are decoded, not texts encoded. */
  readonly decodes?: boolean;
}

const byteVocab: Record<string, number> = Object.fromEntries(
  Array.from(
    { length: 256 },
    (_, i): [string, number] => [`<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`, i],
  ),
);

/** Every byte is a token, and letters that do not begin a word have "#" before them: all cuts show. */
const letters = {
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: "#",
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: true,
  ignore_merges: false,
  vocab: byteVocab,
  merges: [],
};

function tokenizer(parts: Record<string, unknown>): Record<string, unknown> {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: letters,
    ...parts,
  };
}

const added = (id: number, content: string, flags: Record<string, boolean> = {}) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...flags,
});

/** A word's pieces as a vocabulary with merges, in the order in which they are made. */
function merging(words: readonly string[], more: readonly string[] = [], prefix = ""): {
  vocab: Record<string, number>;
  merges: [string, string][];
} {
  const vocab: Record<string, number> = {};
  const merges: [string, string][] = [];
  const add = (text: string) => vocab[text] ??= Object.keys(vocab).length;
  more.forEach(add);
  for (const word of words) {
    const parts = [...word].map((letter, i) => (i === 0 ? "" : prefix) + letter);
    parts.forEach(add);
    while (parts.length > 1) {
      // From both ends, so that merges of different words compete.
      const at = merges.length % 2 === 0 ? 0 : parts.length - 2;
      const whole = parts[at] + parts[at + 1].slice(prefix.length);
      if (!(whole in vocab)) {
        add(whole);
        merges.push([parts[at], parts[at + 1]]);
      }
      parts.splice(at, 2, whole);
    }
  }
  return { vocab, merges };
}

const words = [
  "film",
  "fine",
  "filming",
  "in",
  "ing",
  "ab",
  "abab",
  "a b",
  "e\u0301",
  "12",
  "don't",
];

function normalizers(): TokenizerCase[] {
  const all: Record<string, unknown>[] = [
    { type: "NFC" },
    { type: "NFD" },
    { type: "NFKC" },
    { type: "NFKD" },
    { type: "Lowercase" },
    { type: "StripAccents" },
    { type: "Nmt" },
    { type: "ByteLevel" },
    { type: "Strip", strip_left: true, strip_right: true },
    { type: "Strip", strip_left: true, strip_right: false },
    { type: "Strip", strip_left: false, strip_right: true },
    { type: "Prepend", prepend: "\u2581" },
    { type: "Replace", pattern: { String: " " }, content: "\u2581" },
    { type: "Replace", pattern: { String: "a" }, content: "$$" },
    { type: "Replace", pattern: { String: "$&" }, content: "$&$`$'$1" },
    { type: "Replace", pattern: { Regex: "\\s+" }, content: "$1 " },
    { type: "Replace", pattern: { Regex: "n*" }, content: "-" },
    {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    {
      type: "BertNormalizer",
      clean_text: false,
      handle_chinese_chars: true,
      strip_accents: false,
      lowercase: true,
    },
    {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: false,
      strip_accents: true,
      lowercase: false,
    },
    { type: "Precompiled", precompiled_charsmap: charsmap() },
    {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "\u2581" },
        { type: "Replace", pattern: { String: " " }, content: "\u2581" },
        { type: "NFKC" },
      ],
    },
  ];
  return all.map((normalizer) => ({
    name: `normalizer ${settings(normalizer)}`,
    json: tokenizer({ normalizer }),
  }));
}

const splitBehaviors = [
  "Removed",
  "Isolated",
  "MergedWithPrevious",
  "MergedWithNext",
  "Contiguous",
] as const;
const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const llama3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

function preTokenizers(): TokenizerCase[] {
  const all: Record<string, unknown>[] = [
    { type: "Whitespace" },
    { type: "WhitespaceSplit" },
    { type: "BertPreTokenizer" },
    { type: "Digits", individual_digits: true },
    { type: "Digits", individual_digits: false },
    { type: "CharDelimiterSplit", delimiter: "a" },
    { type: "FixedLength", length: 3 },
    ...splitBehaviors.map((behavior) => ({ type: "Punctuation", behavior })),
    ...splitBehaviors.flatMap((behavior) =>
      [true, false].map((invert) => ({
        type: "Split",
        pattern: { Regex: "\\p{L}{1,2}|\\s" },
        behavior,
        invert,
      }))
    ),
    { type: "Split", pattern: { String: "$" }, behavior: "Isolated", invert: false },
    { type: "Split", pattern: { String: " " }, behavior: "MergedWithNext", invert: false },
    { type: "Split", pattern: { Regex: gpt2 }, behavior: "Isolated", invert: false },
    { type: "Split", pattern: { Regex: llama3 }, behavior: "Isolated", invert: false },
    { type: "Split", pattern: { Regex: llama3 }, behavior: "Removed", invert: true },
    { type: "Split", pattern: { Regex: "(?=\\p{L})" }, behavior: "Isolated", invert: false },
    { type: "Split", pattern: { Regex: "n*" }, behavior: "MergedWithPrevious", invert: false },
    ...[true, false].flatMap((add_prefix_space) =>
      [true, false].map((use_regex) => ({
        type: "ByteLevel",
        add_prefix_space,
        trim_offsets: true,
        use_regex,
      }))
    ),
    ...["always", "first", "never"].flatMap((prepend_scheme) =>
      [true, false].map((split) => ({
        type: "Metaspace",
        replacement: "\u2581",
        prepend_scheme,
        split,
      }))
    ),
    { type: "Metaspace", replacement: "_", add_prefix_space: true },
    {
      type: "Sequence",
      pretokenizers: [
        { type: "Digits", individual_digits: true },
        { type: "Metaspace", replacement: "\u2581", prepend_scheme: "first", split: true },
      ],
    },
    {
      type: "Sequence",
      pretokenizers: [
        { type: "WhitespaceSplit" },
        { type: "Metaspace", replacement: "\u2581", prepend_scheme: "first", split: false },
      ],
    },
  ];
  const tokens = [added(256, "<s>"), added(257, "<x>", { lstrip: true, special: false })];
  return all.map((pre_tokenizer) => ({
    name: `pre-tokenizer ${settings(pre_tokenizer)}`,
    json: tokenizer({ pre_tokenizer, added_tokens: tokens }),
  }));
}

function addedTokens(): TokenizerCase[] {
  const flags = ["single_word", "lstrip", "rstrip", "normalized"] as const;
  const lower = { type: "Lowercase" };
  return [
    ...flags.map((flag) => ({
      name: `added token ${flag}`,
      json: tokenizer({
        normalizer: lower,
        added_tokens: [
          added(256, "<s>", { [flag]: true }),
          added(257, "Film", { [flag]: true, special: false }),
          added(258, "fil", { [flag]: true }),
          added(259, "a b", { [flag]: true, special: false }),
        ],
      }),
    })),
    {
      name: "added token all flags",
      json: tokenizer({
        normalizer: lower,
        added_tokens: [
          added(256, "<s>", { lstrip: true, rstrip: true, single_word: true }),
          added(257, "FILM", { lstrip: true, rstrip: true, normalized: true, special: false }),
          added(258, "a", { single_word: true, rstrip: true }),
          added(259, " a", { lstrip: true }),
        ],
      }),
    },
  ];
}

function models(): TokenizerCase[] {
  const { vocab, merges } = merging(words, ["<unk>"]);
  const bpe = { ...letters, continuing_subword_prefix: null, byte_fallback: false, vocab, merges };
  const split = { type: "WhitespaceSplit" };
  const of = (name: string, model: Record<string, unknown>, more = {}): TokenizerCase => ({
    name: `model ${name}`,
    json: tokenizer({ model, pre_tokenizer: split, ...more }),
  });
  const bytes = merging(words, ["<unk>", ...Object.keys(byteVocab)]);
  const some = merging(words, ["<unk>", "<0x66>", "<0xE2>", "<0x0A>"]);
  const prefixed = merging(words, ["<unk>"], "##");
  const ended: Record<string, number> = { ...vocab };
  for (const text of ["g</w>", "n</w>", "ing</w>", "b</w>", "m</w>"]) {
    ended[text] = Object.keys(ended).length;
  }
  const pieces = Object.keys(vocab).map((text, i): [string, number] => [
    text,
    -((i * 7) % 11) - 1 / (i + 2),
  ]);
  return [
    of("BPE without an unknown token", bpe),
    of("BPE over everything", bpe, { pre_tokenizer: null }),
    of("BPE unknown", { ...bpe, unk_token: "<unk>" }),
    of("BPE fuse_unk", { ...bpe, unk_token: "<unk>", fuse_unk: true }),
    of("BPE ignore_merges", { ...bpe, unk_token: "<unk>", ignore_merges: true }),
    of("BPE byte_fallback", { ...bpe, ...bytes, unk_token: "<unk>", byte_fallback: true }),
    of("BPE byte_fallback with few bytes", {
      ...bpe,
      ...some,
      unk_token: "<unk>",
      byte_fallback: true,
      fuse_unk: true,
    }),
    of("BPE continuing_subword_prefix", {
      ...bpe,
      ...prefixed,
      unk_token: "<unk>",
      continuing_subword_prefix: "##",
    }),
    of("BPE end_of_word_suffix", {
      ...bpe,
      vocab: ended,
      merges: [...merges, ["in", "g</w>"]],
      unk_token: "<unk>",
      end_of_word_suffix: "</w>",
    }),
    of("WordPiece", {
      type: "WordPiece",
      unk_token: "<unk>",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 12,
      vocab: prefixed.vocab,
    }),
    of("WordLevel", { type: "WordLevel", unk_token: "<unk>", vocab }),
    of("Unigram", { type: "Unigram", unk_id: 0, vocab: pieces, byte_fallback: false }),
    of("Unigram byte_fallback", {
      type: "Unigram",
      unk_id: 0,
      vocab: [...pieces, ...Object.keys(byteVocab).map((text): [string, number] => [text, -9])],
      byte_fallback: true,
    }),
    of("Unigram over everything", {
      type: "Unigram",
      unk_id: 3,
      vocab: pieces,
      byte_fallback: false,
    }, { pre_tokenizer: null }),
  ];
}

function postProcessors(): TokenizerCase[] {
  const tokens = [added(256, "<s>"), added(257, "</s>"), added(258, "<x>")];
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const text = { Sequence: { id: "A", type_id: 0 } };
  const pair = { Sequence: { id: "B", type_id: 0 } };
  const template = {
    type: "TemplateProcessing",
    single: [special("begin"), text, special("</s>")],
    pair: [text, pair],
    special_tokens: {
      begin: { id: "begin", ids: [256, 258], tokens: ["<s>", "<x>"] },
      "</s>": { id: "</s>", ids: [257], tokens: ["</s>"] },
    },
  };
  const bert = { type: "BertProcessing", sep: ["</s>", 257], cls: ["<s>", 256] };
  const all = [
    template,
    bert,
    { ...bert, type: "RobertaProcessing", trim_offsets: true, add_prefix_space: false },
    { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    {
      type: "Sequence",
      processors: [
        bert,
        { type: "ByteLevel", add_prefix_space: true, trim_offsets: true },
        template,
      ],
    },
  ];
  return all.map((post_processor) => ({
    name: `post-processor ${settings(post_processor)}`,
    json: tokenizer({ post_processor, added_tokens: tokens }),
  }));
}

function decoders(): TokenizerCase[] {
  const texts = [
    ..."abc.,'?! $&|_#\u2581\u0120\u010a\u00e9",
    "\u2581film",
    "a\u2581b\u2581",
    "\u2581\u2581",
    "##ing",
    "##",
    "in##g",
    " do not",
    " n't",
    " '",
    "'s",
    "film</w>",
    "</w>a</w>",
    "<pad>",
    "a<pad>",
    "\u{1F600}",
    "\u{1F600}\u{1F600}a",
    "\u00f0\u0141\u013a\u0122",
    "\u00f0",
    "\u0141\u013a",
    "   a  ",
    "aaab",
  ];
  const vocab: Record<string, number> = { ...byteVocab };
  for (const text of texts) vocab[text] ??= Object.keys(vocab).length;
  const all: (Record<string, unknown> | null)[] = [
    null,
    { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    { type: "WordPiece", prefix: "##", cleanup: true },
    { type: "WordPiece", prefix: "##", cleanup: false },
    ...["always", "first", "never"].map((prepend_scheme) => ({
      type: "Metaspace",
      replacement: "\u2581",
      prepend_scheme,
      split: true,
    })),
    { type: "BPEDecoder", suffix: "</w>" },
    { type: "CTC", pad_token: "<pad>", word_delimiter_token: "|", cleanup: true },
    { type: "CTC", pad_token: "<pad>", word_delimiter_token: "|", cleanup: false },
    { type: "Replace", pattern: { String: "a" }, content: "$&$$" },
    { type: "Replace", pattern: { Regex: "[ab]*" }, content: "$1" },
    { type: "Fuse" },
    { type: "ByteFallback" },
    { type: "Strip", content: "a", start: 2, stop: 0 },
    { type: "Strip", content: "\u{1F600}", start: 1, stop: 0 },
    {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "\u2581" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
  ];
  const size = Object.keys(vocab).length;
  return all.map((decoder) => ({
    name: `decoder ${settings(decoder ?? { type: "none" })}`,
    decodes: true,
    json: tokenizer({
      decoder,
      model: { ...letters, continuing_subword_prefix: null, vocab },
      added_tokens: [added(size, "<s>"), added(size + 1, "<new>", { special: false })],
    }),
  }));
}

/** All of them. */
export function tokenizerCases(): TokenizerCase[] {
  return [
    ...normalizers(),
    ...preTokenizers(),
    ...addedTokens(),
    ...models(),
    ...postProcessors(),
    ...decoders(),
  ];
}

/** How many ids a case's tokenizer has. */
export function sizeOf({ json }: TokenizerCase): number {
  const { vocab } = json.model as { vocab: Record<string, number> };
  return Object.keys(vocab).length + (json.added_tokens as unknown[]).length;
}

function settings(part: Record<string, unknown>): string {
  const { type, ...rest } = part;
  const text = JSON.stringify(rest);
  return text === "{}"
    ? String(type)
    : `${type} ${text.length > 300 ? `${text.slice(0, 300)}...` : text}`;
}
