/**
 * The `tokenizer.ggml.*` entries of a GGUF file, from `tokenizer.json`: the reverse of `tokenizer_gguf.ts`.
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

/**
 * Metadata for GGUF. Numbers are token ids, to be stored as uint32; lists of numbers are stored as their array's type.
 */
export type TokenizerMetadata = Map<
  string,
  string | number | boolean | string[] | Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>
>;

/** What the model's configuration and other files add. */
export interface TokenizerToGgufOptions extends TokenizerOptions {
  /** Rows of the embedding; names are made up for those that no token has. Default: one more than the largest id. */
  readonly vocabularySize?: number;
  /** Told, a sentence each, what of the tokenizer GGUF has no form for. */
  readonly onNote?: (sentence: string) => void;
}

/**
 * Metadata entries that spell a Hugging Face tokenizer: byte-level BPE as model "gpt2", BPE over `\u2581` with byte
 * fallback as model "llama", whether a normalizer puts the `\u2581` there or a Metaspace pre-tokenizer that cuts nothing
 * (then text behind a special token, and text that begins with a space, get one `\u2581` more from other readers). The latter also holds the merges, which {@linkcode tokenizerFromGguf} prefers to the scores;
 * other readers derive merges from the scores, which gives the same tokens for nearly every text.
 *
 * @throws TypeError for a tokenizer that GGUF has no form for, and what {@linkcode tokenizerFromJson} throws.
 *
 * @example There and back
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

/** llama.cpp has no normalisation form; it writes and reads such tokenizers without. */
function isNfc(normalizer: unknown): boolean {
  return record(normalizer, "normalizer").type === "NFC";
}

/** Whether `\u2581` is put in front of a text; undefined if spaces do not become that, or words are cut there. */
function spacePrefix({ normalizer, pre_tokenizer: splitter }: TokenizerJson): boolean | undefined {
  if (splitter !== null && !(normalizer !== null && splitsAtSpaces(splitter))) {
    const { type, replacement, split, prepend_scheme: scheme, add_prefix_space: prefix } = record(
      splitter,
      "pre_tokenizer",
    );
    // split is true where it is not said.
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

/** Whether words are cut at spaces alone, as Gemma's are: of which the normalizer leaves none. */
function splitsAtSpaces(splitter: unknown): boolean {
  const { type, pattern } = record(splitter, "pre_tokenizer");
  return type === "Split" && record(pattern ?? {}, "pattern").String === " ";
}

/** What stands in the way, for a message. */
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

/** A piece scores the rank of the merge that makes it first, negated; a piece that no merge makes comes last. */
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
  // Further ends of an answer have two places.
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
