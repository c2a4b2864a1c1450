/**
 * The real tokenizers in `../shared/data`, and small ones made here.
 *
 * @module
 */
import { exists, sharedData } from "../../support/shared_data.ts";

/** The contents of a model's tokenizer files, and text of its kind. */
export interface TokenizerFiles {
  readonly json: unknown;
  readonly config: unknown;
  readonly text: string;
}

/** A real tokenizer, or undefined where the data is not there. */
export function realTokenizer(
  model: "tinystories-656k" | "reviews-4m",
): TokenizerFiles | undefined {
  if (!exists(sharedData(`models/${model}`))) return undefined;
  const read = (path: string): string => Deno.readTextFileSync(sharedData(path));
  return {
    json: JSON.parse(read(`models/${model}/tokenizer.json`)),
    config: JSON.parse(read(`models/${model}/tokenizer_config.json`)),
    text: read(`tasks/text/${model === "reviews-4m" ? "reviews" : "tinystories"}.txt`),
  };
}

/** Byte-level BPE over the letters of a few words, with every component in use. */
export function smallTokenizer(): Record<string, unknown> {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: 0,
        content: "<s>",
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "Lowercase" }] },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: { Regex: "\\p{N}{1,3}|\\s+(?!\\S)" },
          behavior: "Isolated",
          invert: false,
        },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] } },
    },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<s>",
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab: { "<s>": 0, a: 1, b: 2, c: 3, "\u0120": 4, ab: 5, abc: 6, "1": 7, "\u0120ab": 8 },
      merges: ["a b", "ab c", ["\u0120", "ab"]].map((x) => typeof x === "string" ? x : x.join(" ")),
    },
  };
}
