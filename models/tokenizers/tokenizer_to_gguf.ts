/**
 * Converts a `tokenizer.json` to the `tokenizer.ggml.*` entries of a GGUF file: the inverse of `tokenizer_gguf.ts`.
 *
 * @module
 */
import { otherTemplates, templatesToGguf } from "./chat_templates.ts";
import type { TokenizerJson } from "./tokenizer_check.ts";
import { record } from "./tokenizer_record.ts";
import { tokenType } from "./tokenizer_gguf_entries.ts";
import { settledJson } from "./tokenizer_settings.ts";
import { preTokenizerName } from "./tokenizer_pre.ts";
import { type Tokenizer, tokenizerFromJson, type TokenizerOptions } from "./tokenizer.ts";

/** GGUF metadata. Numbers are token ids, to be stored as uint32; lists of numbers are stored with the type of their array. */
export type TokenizerMetadata = Map<
  string,
  string | number | boolean | string[] | Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>
>;

/** Additional facts from the model's configuration and other files. */
export interface TokenizerToGgufOptions extends TokenizerOptions {
  /** Number of rows of the embedding. Rows without a token get made-up names. Default: one more than the largest id. */
  readonly vocabularySize?: number;
  /** Called with a sentence for each property of the tokenizer that GGUF cannot express. */
  readonly onNote?: (sentence: string) => void;
}

/**
 * Converts a Hugging Face tokenizer to metadata entries. Byte-level BPE becomes the model "gpt2". BPE over `\u2581` with byte fallback becomes
 * the model "llama", whether a normalizer inserts the `\u2581` or a Metaspace pre-tokenizer that splits nothing. In the second case, other
 * readers insert one more `\u2581` in text that follows a special token or begins with a space.
 *
 * The model "llama" also contains the merges, which {@linkcode tokenizerFromGguf} prefers to the scores. Other readers derive merges from the
 * scores, which gives the same tokens for nearly every text.
 *
 * @throws {TypeError} for a tokenizer that GGUF cannot express.
 * @throws The errors of {@linkcode tokenizerFromJson}.
 *
 * @example Convert to GGUF and back
 * ```ts
 * import { tokenizerFromGguf, tokenizerToGguf } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const metadata = tokenizerToGguf({
 *   model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b"] },
 *   pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
 *   decoder: { type: "ByteLevel" },
 * });
 * assertEquals(metadata.get("tokenizer.ggml.pre"), "gpt-2");
 * assertEquals(tokenizerFromGguf(metadata).encode("aba"), [2, 0]);
 * ```
 */
export function tokenizerToGguf(
  tokenizerJson: unknown,
  tokenizerConfig?: unknown,
  options: TokenizerToGgufOptions = {},
): TokenizerMetadata {
  const tokenizer = tokenizerFromJson(tokenizerJson, tokenizerConfig, options);
  const config = tokenizerConfig === undefined || tokenizerConfig === null
    ? {}
    : record(tokenizerConfig, "tokenizer_config.json");
  const json = settledJson(tokenizerJson, config, options);
  const { vocab, merges } = json.model;
  if (json.model.type !== "BPE" || Array.isArray(vocab) || merges === undefined) {
    throw new TypeError(
      `Cannot write the tokenizer as GGUF: its model is ${json.model.type}, only BPE can be represented there`,
    );
  }
  const size = Math.max(options.vocabularySize ?? 0, tokenizer.vocabularySize);
  const { tokens, types } = tokenList(json, size);
  const metadata: TokenizerMetadata = new Map();
  const set = (
    name: string,
    value:
      | string
      | number
      | boolean
      | string[]
      | Int32Array<ArrayBuffer>
      | Float32Array<ArrayBuffer>,
  ): void => {
    metadata.set(`tokenizer.ggml.${name}`, value);
  };
  for (const name of ["continuing_subword_prefix", "end_of_word_suffix"]) {
    if ((json.model[name] ?? "") !== "") {
      throw new TypeError(
        `Cannot write the tokenizer as GGUF: it cannot represent ${name} (${
          JSON.stringify(json.model[name])
        })`,
      );
    }
  }
  const note = options.onNote ?? (() => {});
  const spelledMerges = merges.map((pair) => pair.join(" "));
  const prefix = spacePrefix(json);
  if (json.model.byte_fallback === true && prefix !== undefined) {
    set("model", "llama");
    set("pre", "default");
    set("tokens", tokens);
    set("scores", scoresOf(tokens, types, merges));
    set("token_type", types);
    set("merges", spelledMerges);
    set("add_space_prefix", prefix);
  } else {
    const nfc = json.normalizer !== null && isNfc(json.normalizer);
    const pre = json.normalizer === null || nfc
      ? preTokenizerName(json.pre_tokenizer, json.model.ignore_merges === true)
      : undefined;
    if (pre === undefined) {
      throw new TypeError(
        `Cannot write the tokenizer as GGUF: GGUF has no name for its normalizer and pre-tokenizer (${
          describe(json)
        })`,
      );
    }
    if (nfc) {
      note(
        "The tokenizer normalizes text (NFC), which GGUF cannot represent: other programs use the text as it is.",
      );
    }
    set("model", "gpt2");
    set("pre", pre);
    set("tokens", tokens);
    set("token_type", types);
    set("merges", spelledMerges);
  }
  for (const token of json.added_tokens) {
    const flags = (["single_word", "lstrip", "rstrip"] as const).filter((flag) => token[flag]);
    if (flags.length === 0) continue;
    note(
      `Token ${JSON.stringify(token.content)} is ${
        flags.join(" and ")
      }, which GGUF cannot represent: it will match wherever its text occurs.`,
    );
  }
  specialEntries(tokenizer, json, config, set);
  const others = new Map([
    ...otherTemplates(config.chat_template),
    ...options.otherTemplates ?? [],
  ]);
  for (const [key, value] of templatesToGguf(tokenizer.chatTemplate, others)) {
    metadata.set(key, value);
  }
  return metadata;
}

/** Whether a normalizer is NFC. llama.cpp has no Unicode normalisation, and converts and reads such tokenizers without it. */
function isNfc(normalizer: unknown): boolean {
  return record(normalizer, "normalizer").type === "NFC";
}

/** Whether `\u2581` is inserted before a text. Undefined if spaces are not replaced by it, or if words are split there. */
function spacePrefix({ normalizer, pre_tokenizer: splitter }: TokenizerJson): boolean | undefined {
  if (splitter !== null && !(normalizer !== null && splitsAtSpaces(splitter))) {
    const { type, replacement, split, prepend_scheme: scheme, add_prefix_space: prefix } = record(
      splitter,
      "pre_tokenizer",
    );
    // The default of split is true.
    const whole = type === "Metaspace" && (replacement ?? "\u2581") === "\u2581" && split === false;
    return whole && normalizer === null ? scheme !== "never" && prefix !== false : undefined;
  }
  const steps = normalizer === null ? [] : record(normalizer, "normalizer");
  const list = Array.isArray(steps)
    ? []
    : Array.isArray(steps.normalizers)
    ? steps.normalizers
    : [steps];
  const types = list.map((step): unknown => record(step, "normalizer").type);
  const last = record(list.at(-1) ?? {}, "normalizer");
  const spaces = record(last.pattern ?? {}, "pattern").String === " ";
  if (last.type !== "Replace" || last.content !== "\u2581" || !spaces) return undefined;
  if (types.length === 1) return false;
  return types.length === 2 && types[0] === "Prepend" && list[0].prepend === "\u2581"
    ? true
    : undefined;
}

/** Whether words are split only at spaces, as in Gemma, where the normalizer leaves none. */
function splitsAtSpaces(splitter: unknown): boolean {
  const { type, pattern } = record(splitter, "pre_tokenizer");
  return type === "Split" && record(pattern ?? {}, "pattern").String === " ";
}

/** The reason why a tokenizer cannot be converted, for a message. */
function describe({ normalizer, pre_tokenizer: splitter }: TokenizerJson): string {
  const text = JSON.stringify({ normalizer, pre_tokenizer: splitter });
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}

function tokenList(
  json: TokenizerJson,
  size: number,
): { tokens: string[]; types: Int32Array<ArrayBuffer> } {
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`);
  const types = new Int32Array(size).fill(tokenType.unused);
  const byteFallback = json.model.byte_fallback === true;
  for (const [token, id] of Object.entries(json.model.vocab as Record<string, number>)) {
    tokens[id] = token;
    types[id] = byteFallback && /^<0x[0-9A-F]{2}>$/.test(token) ? tokenType.byte : tokenType.normal;
  }
  for (const token of json.added_tokens) {
    tokens[token.id] = token.content;
    types[token.id] = token.special === true ? tokenType.control : tokenType.userDefined;
    if (token.content === json.model.unk_token) types[token.id] = tokenType.unknown;
  }
  return { tokens, types };
}

/** The score of a piece is the negated rank of the first merge that produces it. Pieces that no merge produces come last. */
function scoresOf(
  tokens: readonly string[],
  types: Int32Array<ArrayBuffer>,
  merges: readonly (readonly [string, string])[],
): Float32Array<ArrayBuffer> {
  const ranks = new Map<string, number>();
  merges.forEach(([left, right], rank) => ranks.has(left + right) || ranks.set(left + right, rank));
  return Float32Array.from(
    tokens,
    (token, id) => types[id] === tokenType.normal ? -(ranks.get(token) ?? merges.length) : 0,
  );
}

function specialEntries(
  tokenizer: Tokenizer,
  json: TokenizerJson,
  config: Record<string, unknown>,
  set: (name: string, value: number | boolean) => void,
): void {
  const { start, end, ends } = tokenizer;
  for (const [ids, where] of [[start, "before"], [end, "behind"]] as const) {
    if (ids.length > 1) {
      throw new TypeError(
        `Cannot write the tokenizer as GGUF: it puts ${ids.length} tokens ${where} a text, but GGUF can represent only one`,
      );
    }
  }
  const bos = start[0] ?? tokenizer.bos;
  const eos = end[0] ?? tokenizer.eos;
  if (bos !== undefined) set("bos_token_id", bos);
  if (eos !== undefined) set("eos_token_id", eos);
  // There are two entries for additional ends of an answer.
  const [turn, message] = ends.filter((id) => id !== eos);
  if (turn !== undefined) set("eot_token_id", turn);
  if (message !== undefined) set("eom_token_id", message);
  const vocab = json.model.vocab as Record<string, number>;
  const unknown = json.model.unk_token;
  if (typeof unknown === "string" && Object.hasOwn(vocab, unknown)) {
    set("unknown_token_id", vocab[unknown]);
  }
  const padding = config.pad_token;
  const pad = json.added_tokens.find((token) => token.content === padding);
  if (pad !== undefined) set("padding_token_id", pad.id);
  set("add_bos_token", start.length > 0);
  set("add_eos_token", end.length > 0);
}
