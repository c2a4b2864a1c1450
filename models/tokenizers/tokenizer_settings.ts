/**
 * Applies the settings of a folder's other files to a `tokenizer.json`, as transformers does: they add tokens and change components.
 *
 * Tokens come from `added_tokens_decoder` of `tokenizer_config.json` (older folders have `added_tokens.json`). A token with a role (`bos_token`,
 * `additional_special_tokens` ...) is found in texts as a whole. The functions in `settings` apply the other settings. Those that transformers does
 * not follow either are noted.
 *
 * @module
 */
import {
  type AddedToken,
  checkAddedTokens,
  checkTokenizerJson,
  movedNote,
  type TokenizerJson,
} from "./tokenizer_check.ts";
import { placedTokens } from "./tokenizer_added_ids.ts";
import { list, record } from "./tokenizer_record.ts";
import { tokenText } from "./special_tokens.ts";

type Config = Readonly<Record<string, unknown>>;

/** Contents of files other than `tokenizer_config.json`. */
export interface SettingFiles {
  /** Contents of `special_tokens_map.json`. */
  readonly specialTokens?: unknown;
  /** Contents of `added_tokens.json`, which maps texts to ids. */
  readonly addedTokens?: unknown;
}

/** Keys of `tokenizer_config.json` that name one token. */
const roles = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token",
];
const lists = ["additional_special_tokens", "extra_special_tokens"];

/** Classes that set `add_prefix_space` of their ByteLevel from the configuration. Its default is false. */
const byteLevelClass =
  /^(GPT2|Roberta|Bart|MVP|Longformer|LED|CodeGen|Bloom|GPTNeoX|Deberta|Blenderbot)Tokenizer(Fast)?$/i;
const llamaClass = /^(Llama|CodeLlama)Tokenizer(Fast)?$/;
const bertClass = /^(Bert|DistilBert|Electra|MobileBert|Funnel|LayoutLM|Lxmert)Tokenizer(Fast)?$/;

/** Applies a setting to a tokenizer. Returns a note if the setting is not followed, undefined if it changes nothing. */
type Setting = (json: TokenizerJson, config: Config) => TokenizerJson | string | undefined;

const settings: readonly Setting[] = [prefixSpace, bertNormalizer];

/**
 * A checked `tokenizer.json` with the settings of the folder's other files applied. Tokens of a GGUF file (`texts`) keep their types, whatever their
 * roles.
 *
 * @throws As {@linkcode checkTokenizerJson} does, and for invalid contents of the other files.
 */
export function settledJson(
  tokenizerJson: unknown,
  config: Config,
  files: SettingFiles & { readonly texts?: readonly string[] | undefined },
): TokenizerJson {
  const json = checkTokenizerJson(tokenizerJson);
  return files.texts === undefined ? withSettings(json, config, files) : json;
}

/**
 * Applies the other files to a tokenizer.
 *
 * @throws {TypeError | RangeError} when a token is invalid, or a setting has the wrong type.
 */
function withSettings(
  json: TokenizerJson,
  config: Config,
  files: SettingFiles = {},
): TokenizerJson {
  const notes: string[] = [];
  let current = withTokens(json, config, files);
  for (const setting of settings) {
    const made = setting(current, config);
    if (typeof made === "string") notes.push(made);
    else if (made !== undefined) current = made;
  }
  return { ...current, notes: [...current.notes, ...notes] };
}

/** Whether the texts of special tokens are treated like any other text. @throws {TypeError} when the value is not a boolean. */
export function splitsSpecial({ split_special_tokens: value }: Config): boolean {
  if (value === undefined || value === null || typeof value === "boolean") return value === true;
  throw wrong("split_special_tokens", value, "true or false");
}

function withTokens(json: TokenizerJson, config: Config, files: SettingFiles): TokenizerJson {
  const same = (one: AddedToken) => (other: AddedToken): boolean =>
    one.content === other.content && one.special === other.special &&
    one.single_word === other.single_word && one.lstrip === other.lstrip &&
    one.rstrip === other.rstrip && one.normalized === other.normalized;
  const more = declared(config, files, json)
    .filter((token) => !json.added_tokens.some(same(token)));
  const known = new Set([...json.added_tokens, ...more].map(({ content }) => content));
  const map = isRecord(files.specialTokens) ? files.specialTokens : {};
  const vocabulary = vocabularyOf(json);
  const named = [
    // Tokens with a single role are not created: a token that is not in the vocabulary has no row in the model.
    ...roles.map((key) => ({ value: (key in config ? config : map)[key], made: false })),
    ...lists.flatMap((key) =>
      listed((key in config ? config : map)[key]).map((value) => ({ value, made: true }))
    ),
  ];
  for (const { value, made } of named) {
    const content = tokenText(value);
    if (content === undefined || content === "" || known.has(content)) continue;
    if (!made && !vocabulary.has(content)) continue;
    known.add(content);
    const flags = isRecord(value) ? value : {};
    more.push(...checkAddedTokens([{ ...plainFlags(flags), content, id: 0, special: true }]));
  }
  if (more.length === 0) return json;
  const wanted = new Set(declaredIds(config, files));
  const placed = placedTokens(
    [...json.added_tokens, ...more],
    vocabulary,
    Array.isArray(json.model.vocab) ? json.model.vocab.length : vocabulary.size,
  );
  const elsewhere = placed.tokens.filter(({ content, id }) =>
    wanted.has(content) && declaredId(config, files, content) !== id
  );
  return {
    ...json,
    added_tokens: placed.tokens,
    notes: [...json.notes, ...movedNote(elsewhere, "tokenizer_config.json")],
  };
}

/** Tokens that a file declares with their flags, ordered by id. */
function declared(config: Config, files: SettingFiles, json: TokenizerJson): AddedToken[] {
  const decoder = config.added_tokens_decoder;
  if (decoder !== undefined && decoder !== null) {
    const entries = Object.entries(record(decoder, "added_tokens_decoder"));
    return checkAddedTokens(
      entries.map(([id, token]) => ({
        ...plainFlags(record(token, `token ${id} of added_tokens_decoder`)),
        id: Number(id),
      })),
    ).sort((a, b) => a.id - b.id);
  }
  if (files.addedTokens === undefined || files.addedTokens === null) return [];
  const known = new Set(json.added_tokens.map(({ content }) => content));
  const special = new Set(roles.map((key) => tokenText(config[key])));
  return checkAddedTokens(
    Object.entries(record(files.addedTokens, "added_tokens.json"))
      .filter(([content]) => !known.has(content))
      .map(([content, id]) => ({ content, id, special: special.has(content), normalized: false })),
  ).sort((a, b) => a.id - b.id);
}

function declaredIds(config: Config, files: SettingFiles): string[] {
  const decoder = config.added_tokens_decoder;
  if (isRecord(decoder)) {
    return Object.values(decoder).map(tokenText).filter((it) => it !== undefined);
  }
  return isRecord(files.addedTokens) ? Object.keys(files.addedTokens) : [];
}

function declaredId(config: Config, files: SettingFiles, content: string): number {
  const decoder = config.added_tokens_decoder;
  const found = isRecord(decoder)
    ? Object.entries(decoder).findLast(([, token]) => tokenText(token) === content)?.[0]
    : (files.addedTokens as Config)[content];
  return Number(found);
}

/** The relevant keys of an added token. transformers also writes `__type`. */
function plainFlags(token: Config): Config {
  const { __type: _, ...rest } = token;
  return rest;
}

/** Texts of the model's vocabulary, with their ids. */
function vocabularyOf({ model }: TokenizerJson): ReadonlyMap<string, number> {
  const { vocab } = model;
  return Array.isArray(vocab)
    ? new Map(vocab.map(([text], id): [string, number] => [text, id]))
    : new Map(Object.entries(vocab as Readonly<Record<string, number>>));
}

/** The elements of a list of tokens, or of an object with tokens by role. */
function listed(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return isRecord(value) ? Object.values(value) : list(value, "a list of special tokens");
}

/** Applies `add_prefix_space`: to ByteLevel for certain classes, and to the prefix of Llama's classes. */
function prefixSpace(json: TokenizerJson, config: Config): TokenizerJson | string | undefined {
  const value = config.add_prefix_space ?? undefined;
  if (value !== undefined && typeof value !== "boolean") {
    throw wrong("add_prefix_space", value, "true or false");
  }
  const name = String(config.tokenizer_class ?? "");
  const splitter = isRecord(json.pre_tokenizer) ? json.pre_tokenizer : {};
  if (splitter.type === "ByteLevel") {
    const wanted = value ?? (byteLevelClass.test(name) ? false : undefined);
    if (wanted === undefined || (splitter.add_prefix_space ?? false) === wanted) return undefined;
    return byteLevelClass.test(name)
      ? { ...json, pre_tokenizer: { ...splitter, add_prefix_space: wanted } }
      : ignored(`add_prefix_space ${wanted}`, name);
  }
  if (value === undefined) return undefined;
  const steps = isRecord(json.normalizer)
    ? Array.isArray(json.normalizer.normalizers) ? json.normalizer.normalizers : [json.normalizer]
    : [];
  const spaces = steps.find((it) => it?.type === "Replace" && it.content === "\u2581");
  const prepends = steps.some((it) => it?.type === "Prepend" && it.prepend === "\u2581");
  const metaspace = splitter.type === "Metaspace";
  if (!metaspace && spaces === undefined) return undefined;
  const now = metaspace
    ? splitter.add_prefix_space !== false && splitter.prepend_scheme !== "never"
    : prepends;
  if (now === value) return undefined;
  if (!llamaClass.test(name)) return ignored(`add_prefix_space ${value}`, name);
  const decoder = prefixedDecoder(json.decoder, value);
  if (metaspace) {
    const { add_prefix_space: _, ...rest } = splitter;
    return {
      ...json,
      decoder,
      pre_tokenizer: { ...rest, prepend_scheme: value ? "first" : "never" },
    };
  }
  const normalizers = value
    ? [{ type: "Prepend", prepend: "\u2581" }, ...steps]
    : steps.filter((it) => it.type !== "Prepend");
  return { ...json, decoder, normalizer: { type: "Sequence", normalizers } };
}

/** Llama's decoder, which removes the space that was added as a prefix. */
function prefixedDecoder(value: unknown, prefix: boolean): unknown {
  if (!isRecord(value)) return value;
  if (value.type === "Metaspace") {
    const { add_prefix_space: _, ...rest } = value;
    return { ...rest, prepend_scheme: prefix ? "first" : "never" };
  }
  if (!Array.isArray(value.decoders)) return value;
  const rest = value.decoders.filter((it) => it?.type !== "Strip");
  const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
  return { ...value, decoders: prefix ? [...rest, strip] : rest };
}

/** Applies the configuration to the normalizer of BERT's classes. */
function bertNormalizer(json: TokenizerJson, config: Config): TokenizerJson | undefined {
  const { normalizer } = json;
  if (!isRecord(normalizer) || normalizer.type !== "BertNormalizer") return undefined;
  if (!bertClass.test(String(config.tokenizer_class ?? ""))) return undefined;
  const wanted = {
    lowercase: config.do_lower_case ?? true,
    strip_accents: config.strip_accents ?? null,
    handle_chinese_chars: config.tokenize_chinese_chars ?? true,
  };
  return { ...json, normalizer: { ...normalizer, ...wanted } };
}

function ignored(what: string, name: string): string {
  return `tokenizer_config.json says ${what}, but tokenizer.json does something else and takes precedence, as in transformers for ${
    name === "" ? "a tokenizer without a class" : name
  }.`;
}

function wrong(key: string, value: unknown, expected: string): TypeError {
  return new TypeError(
    `Cannot load the tokenizer: ${key} of tokenizer_config.json is ${
      JSON.stringify(value)
    }, expected ${expected}`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
