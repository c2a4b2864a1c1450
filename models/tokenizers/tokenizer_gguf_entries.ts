/**
 * Typed access to the `tokenizer.ggml.*` entries of a GGUF file's metadata, and the tokens that end generation according to them.
 *
 * @module
 */

/** Typed access to `tokenizer.ggml.*`. */
export class Entries {
  readonly #metadata: ReadonlyMap<string, unknown>;

  /** Reads the entries of `metadata`. */
  constructor(metadata: ReadonlyMap<string, unknown>) {
    this.#metadata = metadata;
  }

  #get(name: string): unknown {
    return this.#metadata.get(`tokenizer.ggml.${name}`);
  }

  #wrong(name: string, expected: string): TypeError {
    const value = this.#get(name);
    const found = value === undefined ? "missing" : typeof value;
    return new TypeError(
      `Cannot load the tokenizer: tokenizer.ggml.${name} is ${found}, expected ${expected}`,
    );
  }

  /** A string. Undefined if there is none. */
  optionalText(name: string): string | undefined {
    return this.#get(name) === undefined ? undefined : this.text(name);
  }

  /** A string. @throws {TypeError} when it is missing or another type. */
  text(name: string): string {
    const value = this.#get(name);
    if (typeof value !== "string") throw this.#wrong(name, "a text");
    return value;
  }

  /** A boolean. Undefined if there is none. */
  flag(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value !== undefined && typeof value !== "boolean") throw this.#wrong(name, "a boolean");
    return value;
  }

  /** An array of strings. Undefined if there is none. */
  texts(name: string): string[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
      throw this.#wrong(name, "an array of texts");
    }
    return value;
  }

  /** An array of numbers. Undefined if there is none. */
  numbers(name: string): number[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    const items = Array.isArray(value) || (ArrayBuffer.isView(value) && Symbol.iterator in value)
      ? Array.from<unknown>(value as Iterable<unknown>)
      : undefined;
    if (items === undefined || !items.every((item) => typeof item === "number")) {
      throw this.#wrong(name, "an array of numbers");
    }
    return items as number[];
  }

  /** Whether the file has an entry, whatever its value. */
  has(name: string): boolean {
    return this.#get(name) !== undefined;
  }

  /** The token id in an entry. Undefined if there is none. */
  id(name: string, tokens: readonly string[]): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    const id = typeof value === "bigint" ? Number(value) : value;
    if (typeof id !== "number") throw this.#wrong(name, "a token id");
    // Files express "no such token" as an id of all ones.
    if (id === 0xffffffff) return undefined;
    if (!Number.isInteger(id) || id < 0 || id >= tokens.length) {
      throw new RangeError(
        `Cannot load the tokenizer: tokenizer.ggml.${name} is ${id}, there are ${tokens.length} tokens`,
      );
    }
    return id;
  }
}

/** Texts of tokens that end generation wherever they occur, as in llama.cpp. */
const endTexts = [
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<|flush|>",
  "<|calls|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "</s>",
  "<|eom_id|>",
  "<EOT>",
  "_<EOT>",
  "[EOT]",
  "[EOS]",
  "<|end_of_text|>",
  "<end_of_utterance>",
  "<eos>",
  "<turn|>",
  "<|tool_response>",
  "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
  "[e~[",
];

/** Token types of GGUF (llama.h, `llama_token_type`). */
export const tokenType = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

/** Fill-in-the-middle tokens by role, as llama.cpp finds them if a file does not name them. */
const middleTexts: readonly (readonly [key: string, ends: boolean, texts: readonly string[]])[] = [
  [
    "fim_pre_token_id",
    false,
    [
      "<|fim_prefix|>",
      "<fim-prefix>",
      "<fim_prefix>",
      "<\uFF5Cfim\u2581begin\uFF5C>",
      "<PRE>",
      "\u2581<PRE>",
      "<|code_prefix|>",
      "<|prefix|>",
    ],
  ],
  [
    "fim_suf_token_id",
    false,
    [
      "<|fim_suffix|>",
      "<fim-suffix>",
      "<fim_suffix>",
      "<\uFF5Cfim\u2581hole\uFF5C>",
      "<SUF>",
      "\u2581<SUF>",
      "<|code_suffix|>",
      "<|suffix|>",
    ],
  ],
  [
    "fim_mid_token_id",
    false,
    [
      "<|fim_middle|>",
      "<fim-middle>",
      "<fim_middle>",
      "<\uFF5Cfim\u2581end\uFF5C>",
      "<MID>",
      "\u2581<MID>",
      "<|code_middle|>",
      "<|middle|>",
    ],
  ],
  [
    "fim_pad_token_id",
    true,
    ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"],
  ],
  [
    "fim_rep_token_id",
    true,
    ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
  ],
  ["fim_sep_token_id", true, ["<|file_sep|>"]],
];

/** Channel markers, which llama.cpp shows in answers regardless of their type in the file. */
const channelTexts = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/**
 * The types of tokens as in llama.cpp: those in the file, or normal if it gives none. Tokens that end an answer or are for filling in the middle are
 * control tokens whatever their type, so that they are found in prompts.
 */
export function typesOf(entries: Entries, tokens: readonly string[]): number[] {
  const types = [...entries.numbers("token_type") ?? tokens.map((): number => tokenType.normal)];
  const middles = middleTexts.flatMap(([key, , texts]) => entries.has(key) ? [] : texts);
  const set = (texts: readonly string[], type: number): void => {
    for (const text of texts) {
      const id = tokens.indexOf(text);
      if (id >= 0 && id < types.length) types[id] = type;
    }
  };
  set([...endTexts, ...middles], tokenType.control);
  set(channelTexts, tokenType.userDefined);
  return types;
}

/** Ids that end generation: those that the file names, and those whose texts always do. */
export function endsOf(
  entries: Entries,
  tokens: readonly string[],
  eos: number | undefined,
): number[] {
  const named = ["eot_token_id", "eom_token_id"].map((name) => entries.id(name, tokens));
  const middles = middleTexts.filter(([, ends]) => ends).map(([key, , texts]) =>
    entries.id(key, tokens) ??
      texts.map((text) => tokens.indexOf(text)).find((id) => id >= 0)
  );
  const byText = endTexts.map((text) => tokens.indexOf(text)).filter((id) => id >= 0);
  const all = new Set([eos, ...named, ...byText, ...middles].filter((id) => id !== undefined));
  const has = (text: string): boolean => all.has(tokens.indexOf(text));
  // In tokenizers with channels, this token ends a message rather than the answer. Gemma 4 names the other one, which does not end its answers.
  if (
    has("<|end|>") && (has("<|call|>") || has("<|calls|>")) &&
    (has("<|return|>") || has("<|flush|>"))
  ) {
    all.delete(tokens.indexOf("<|end|>"));
  }
  if (has("<|tool_response>")) all.delete(tokens.indexOf("</s>"));
  return [...all];
}

/** Entries of `tokenizer.ggml.` that are read, or that do not affect the texts of a language model. */
const knownEntries = new Set(
  `model pre tokens token_type token_type_count scores merges bos_token_id eos_token_id eot_token_id eom_token_id unknown_token_id
   separator_token_id seperator_token_id padding_token_id cls_token_id mask_token_id image_token_id add_bos_token add_eos_token add_sep_token
   add_space_prefix fim_pre_token_id fim_suf_token_id fim_mid_token_id fim_pad_token_id fim_rep_token_id fim_sep_token_id
   prefix_token_id suffix_token_id middle_token_id remove_extra_whitespaces precompiled_charsmap`
    .split(/\s+/),
);

/** Notes about entries that llama.cpp does not follow for such tokenizers either. */
export function unreadEntries(metadata: ReadonlyMap<string, unknown>): string[] {
  const prefix = "tokenizer.ggml.";
  const names = [...metadata.keys()].filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length));
  const unread = names.filter((name) =>
    !knownEntries.has(name) || name === "precompiled_charsmap" ||
    name === "remove_extra_whitespaces" && metadata.get(prefix + name) === true
  );
  if (unread.length === 0) return [];
  const shown = unread.slice(0, 5).map((name) => prefix + name.slice(0, 60)).join(", ");
  return [`The GGUF file says ${shown}, which is ignored, as in llama.cpp for such a model.`];
}
