/**
 * The components of a `tokenizer.json`, their keys, and which implementation computes them. The reference is the Rust library `tokenizers` (0.23),
 * which Python uses; `tests/models/tokenizers/tokenizer_components_test.ts` compares the results.
 *
 * A component is computed by `@huggingface/tokenizers` if that gives the same tokens ("engine"). Otherwise it is computed here ("here"), with the
 * difference as the reason. A component that neither supports is rejected by name.
 *
 * @module
 */

/** The kind of a component. */
export type ComponentKind = "normalizer" | "pre-tokenizer" | "model" | "post-processor" | "decoder";

/** One component of the format. */
export interface Component {
  /** Kind of the component. */
  readonly kind: ComponentKind;
  /** Value of its `type`. */
  readonly type: string;
  /** Which implementation computes it. */
  readonly by: "engine" | "here" | "refused";
  /** Keys besides `type` that are read. */
  readonly keys: readonly string[];
  /** Keys that do not affect tokens. */
  readonly harmless?: readonly string[];
  /** How the engine (0.2.0) differs, or why the component is rejected. */
  readonly why?: string;
  /** URL of the report. */
  readonly upstream?: string;
}

const noIssue = "not in the engine";

/** All components. */
export const tokenizerComponents: readonly Component[] = [
  { kind: "normalizer", type: "NFC", by: "engine", keys: [] },
  { kind: "normalizer", type: "NFD", by: "engine", keys: [] },
  { kind: "normalizer", type: "NFKC", by: "engine", keys: [] },
  { kind: "normalizer", type: "NFKD", by: "engine", keys: [] },
  {
    kind: "normalizer",
    type: "BertNormalizer",
    by: "here",
    keys: ["clean_text", "handle_chinese_chars", "strip_accents", "lowercase"],
    why:
      "keeps private-use and format characters, drops unpaired surrogates, strips accents after lowercasing",
  },
  {
    kind: "normalizer",
    type: "Lowercase",
    by: "here",
    keys: [],
    why: "a sigma at the end of a word becomes its final form",
  },
  {
    kind: "normalizer",
    type: "Strip",
    by: "here",
    keys: ["strip_left", "strip_right"],
    why: "U+FEFF counts as white space, U+0085 does not",
  },
  { kind: "normalizer", type: "StripAccents", by: "engine", keys: [] },
  {
    kind: "normalizer",
    type: "Replace",
    by: "here",
    keys: ["pattern", "content"],
    why: "a dollar sign in the content is interpreted as one of JavaScript's replacement patterns",
  },
  {
    kind: "normalizer",
    type: "Prepend",
    by: "here",
    keys: ["prepend"],
    why: "an empty text gets the prefix too",
  },
  { kind: "normalizer", type: "Nmt", by: "here", keys: [], why: noIssue },
  { kind: "normalizer", type: "ByteLevel", by: "here", keys: [], why: noIssue },
  {
    kind: "normalizer",
    type: "Precompiled",
    by: "here",
    keys: ["precompiled_charsmap"],
    why: "the map is not read; NFKC and a list of characters replace it",
  },
  { kind: "normalizer", type: "Sequence", by: "here", keys: ["normalizers"] },

  {
    kind: "pre-tokenizer",
    type: "ByteLevel",
    by: "here",
    keys: ["add_prefix_space", "use_regex"],
    harmless: ["trim_offsets"],
    why: "JavaScript's white space (U+FEFF, not U+0085)",
  },
  {
    kind: "pre-tokenizer",
    type: "Metaspace",
    by: "here",
    keys: ["replacement", "prepend_scheme", "split", "add_prefix_space"],
    harmless: ["str_rep"],
    why:
      "split is ignored, so merges cross spaces; the first piece of a sequence is treated like the others",
    upstream: "https://github.com/huggingface/transformers.js/issues/866",
  },
  {
    kind: "pre-tokenizer",
    type: "Split",
    by: "here",
    keys: ["pattern", "behavior", "invert"],
    why:
      "Contiguous, MergedWithPrevious and MergedWithNext are treated as Isolated, invert as Removed",
  },
  {
    kind: "pre-tokenizer",
    type: "Punctuation",
    by: "here",
    keys: ["behavior"],
    why: "neighbouring punctuation stays together, behavior is ignored",
  },
  {
    kind: "pre-tokenizer",
    type: "Digits",
    by: "here",
    keys: ["individual_digits"],
    why: "only 0 to 9 are digits",
  },
  {
    kind: "pre-tokenizer",
    type: "Whitespace",
    by: "here",
    keys: [],
    why: "only ASCII letters and digits belong to words",
  },
  { kind: "pre-tokenizer", type: "WhitespaceSplit", by: "here", keys: [], why: "U+FEFF, U+0085" },
  { kind: "pre-tokenizer", type: "BertPreTokenizer", by: "here", keys: [], why: "U+FEFF, U+0085" },
  {
    kind: "pre-tokenizer",
    type: "CharDelimiterSplit",
    by: "here",
    keys: ["delimiter"],
    why: noIssue,
  },
  {
    kind: "pre-tokenizer",
    type: "FixedLength",
    by: "here",
    keys: ["length"],
    why: "counts UTF-16 units, so it cuts surrogate pairs",
  },
  {
    kind: "pre-tokenizer",
    type: "UnicodeScripts",
    by: "refused",
    keys: [],
    why:
      "needs Unicode scripts as the Rust library defines them; no language model is known to use it",
  },
  { kind: "pre-tokenizer", type: "Sequence", by: "here", keys: ["pretokenizers"] },

  {
    kind: "model",
    type: "BPE",
    by: "here",
    keys: [
      "vocab",
      "merges",
      "unk_token",
      "continuing_subword_prefix",
      "end_of_word_suffix",
      "fuse_unk",
      "byte_fallback",
      "ignore_merges",
      "dropout",
    ],
    harmless: ["cache_capacity"],
    why:
      "continuing_subword_prefix is ignored, unknown parts of different words are fused; text without words takes minutes and 380 bytes per character",
  },
  {
    kind: "model",
    type: "WordPiece",
    by: "engine",
    keys: ["vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"],
  },
  {
    kind: "model",
    type: "Unigram",
    by: "here",
    keys: ["vocab", "unk_id", "byte_fallback"],
    why: "byte_fallback is ignored, unknown parts of different words are fused",
    upstream: "https://github.com/huggingface/tokenizers.js/issues/26",
  },
  { kind: "model", type: "WordLevel", by: "here", keys: ["vocab", "unk_token"], why: noIssue },

  {
    kind: "post-processor",
    type: "TemplateProcessing",
    by: "here",
    keys: ["single", "special_tokens"],
    harmless: ["pair"],
    why: "the ids of special_tokens are not read",
  },
  {
    kind: "post-processor",
    type: "BertProcessing",
    by: "here",
    keys: ["sep", "cls"],
    why: "the ids are not read",
  },
  {
    kind: "post-processor",
    type: "RobertaProcessing",
    by: "here",
    keys: ["sep", "cls"],
    harmless: ["trim_offsets", "add_prefix_space"],
    why: "the ids are not read",
  },
  {
    kind: "post-processor",
    type: "ByteLevel",
    by: "here",
    keys: [],
    harmless: ["add_prefix_space", "trim_offsets", "use_regex"],
  },
  { kind: "post-processor", type: "Sequence", by: "here", keys: ["processors"] },

  {
    kind: "decoder",
    type: "ByteLevel",
    by: "here",
    keys: [],
    harmless: ["add_prefix_space", "trim_offsets", "use_regex"],
    why: "characters that represent no byte become NUL",
  },
  {
    kind: "decoder",
    type: "WordPiece",
    by: "here",
    keys: ["prefix", "cleanup"],
    why: 'one rule of cleanup (" do not") is missing',
  },
  {
    kind: "decoder",
    type: "Metaspace",
    by: "here",
    keys: ["replacement", "prepend_scheme", "add_prefix_space"],
    harmless: ["split", "str_rep"],
    why: "prepend_scheme is ignored",
  },
  { kind: "decoder", type: "BPEDecoder", by: "here", keys: ["suffix"], why: "an empty suffix" },
  {
    kind: "decoder",
    type: "CTC",
    by: "here",
    keys: ["pad_token", "word_delimiter_token", "cleanup"],
    why: "cleanup works on the whole text, not on its tokens",
  },
  {
    kind: "decoder",
    type: "Replace",
    by: "here",
    keys: ["pattern", "content"],
    why: "a dollar sign in the content is interpreted as one of JavaScript's replacement patterns",
  },
  { kind: "decoder", type: "Fuse", by: "here", keys: [] },
  {
    kind: "decoder",
    type: "Strip",
    by: "here",
    keys: ["content", "start", "stop"],
    why: "counts UTF-16 units",
  },
  {
    kind: "decoder",
    type: "ByteFallback",
    by: "here",
    keys: [],
    why: "invalid UTF-8 gives one U+FFFD per sequence, not per byte",
  },
  { kind: "decoder", type: "Sequence", by: "here", keys: ["decoders"] },
];

/** A component as a row of the table in docs/tokenizers.md. */
export function componentRow({ kind, type, by, keys, why, upstream }: Component): string {
  const options = keys.map((key) => `\`${key}\``).join(", ");
  const reason = [why ?? "", upstream === undefined ? "" : `(${upstream})`].join(" ").trim();
  return `| ${kind} | ${type} | ${by} | ${options} | ${reason} |`;
}

/** A component of a file whose keys have been checked. */
export type ComponentConfig = { readonly type: string; readonly [key: string]: unknown };

/**
 * Checks the component that a part of a file names.
 *
 * @throws {TypeError} when the type is unknown.
 * @throws {RangeError} when the type is rejected or a key is unknown.
 */
export function checkComponent(
  kind: ComponentKind,
  value: Readonly<Record<string, unknown>>,
): ComponentConfig {
  const { type } = value;
  if (typeof type !== "string") {
    throw new TypeError(
      `Cannot load the tokenizer: a ${kind} has the type ${
        JSON.stringify(type)
      }, expected a string`,
    );
  }
  const known = tokenizerComponents.filter((entry) => entry.kind === kind);
  const component = known.find((entry) => entry.type === type);
  if (component === undefined) {
    throw new TypeError(
      `Cannot load the tokenizer: unknown ${kind} ${JSON.stringify(type)}; expected one of ${
        known.filter(({ by }) => by !== "refused").map((entry) => entry.type).join(", ")
      }`,
    );
  }
  if (component.by === "refused") {
    throw new RangeError(
      `Cannot load the tokenizer: ${kind} ${type} is not supported: ${component.why}`,
    );
  }
  for (const key of Object.keys(value)) {
    if (key === "type" || component.keys.includes(key) || component.harmless?.includes(key)) {
      continue;
    }
    throw new RangeError(
      `Cannot load the tokenizer: ${kind} ${type} has the unknown key ${JSON.stringify(key)} (${
        JSON.stringify(value[key])?.slice(0, 80)
      }); expected one of ${[...component.keys, ...component.harmless ?? []].join(", ") || "none"}`,
    );
  }
  return value as ComponentConfig;
}
