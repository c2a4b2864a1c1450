/**
 * Checks shapes, ids and keys of a `tokenizer.json` before anything is created from it. Normalizers, pre-tokenizers, post-processors and decoders are
 * checked when they are created.
 *
 * @module
 */
import { checkComponent } from "./components/tokenizer_components.ts";
import { placedTokens } from "./tokenizer_added_ids.ts";
import { flag, kind, record } from "./tokenizer_record.ts";

/** Limit on ids, which the library stores in an array. No known vocabulary comes close. */
const maximumId = 1 << 22;

/** An entry of `added_tokens`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Whether it can be omitted from decoded text. */
  readonly special: boolean;
  /** Whether it is found only if it does not touch a word. */
  readonly single_word: boolean;
  /** Whether it includes the white space before it. */
  readonly lstrip: boolean;
  /** Whether it includes the white space after it. */
  readonly rstrip: boolean;
  /** Whether it is searched for in the normalized text. */
  readonly normalized: boolean;
}

/** `model` of a `tokenizer.json`: Unigram lists texts with scores, the other types map texts to ids. */
export interface TokenizerModel {
  readonly type: "BPE" | "WordPiece" | "Unigram" | "WordLevel";
  readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  readonly merges?: readonly (readonly [string, string])[];
  readonly unk_token?: string | null;
  readonly [option: string]: unknown;
}

/** A `tokenizer.json` whose shape has been checked. Absent components are null, and merges are pairs. */
export interface TokenizerJson {
  readonly model: TokenizerModel;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  /** What the file asks for that is not supported, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Checks the contents of a `tokenizer.json`.
 *
 * @throws {TypeError} when the shape is wrong.
 * @throws {RangeError} when a value is wrong.
 */
export function checkTokenizerJson(value: unknown): TokenizerJson {
  const json = record(value, "tokenizer.json");
  const model = checkModel(record(json.model, "its model"));
  const vocab = model.vocab;
  const ids = Array.isArray(vocab)
    ? new Map(vocab.map(([text], id): [string, number] => [text, id]))
    : new Map(Object.entries(vocab as Readonly<Record<string, number>>));
  const placed = placedTokens(
    checkAddedTokens(json.added_tokens ?? [], ids),
    ids,
    Array.isArray(vocab) ? vocab.length : ids.size,
  );
  return {
    model,
    added_tokens: placed.tokens,
    normalizer: json.normalizer ?? null,
    pre_tokenizer: json.pre_tokenizer ?? null,
    post_processor: json.post_processor ?? null,
    decoder: json.decoder ?? null,
    notes: [
      ...["truncation", "padding"].filter((name) => (json[name] ?? null) !== null).map((name) =>
        `tokenizer.json asks for ${name}, which is ignored, because transformers applies it only if a caller asks for it.`
      ),
      ...movedNote(placed.moved),
      ...unreadParts(json),
    ],
  };
}

function checkModel(named: Record<string, unknown>): TokenizerModel {
  // Old files give no type.
  const model = checkComponent("model", {
    ...named,
    type: named.type ??
      (Array.isArray(named.vocab) ? "Unigram" : "merges" in named ? "BPE" : "WordPiece"),
  });
  const { type } = model;
  switch (type) {
    case "BPE": {
      const vocab = checkVocab(model.vocab);
      optionalTexts(model, [
        "unk_token",
        "continuing_subword_prefix",
        "end_of_word_suffix",
      ]);
      optionalFlags(model, ["fuse_unk", "byte_fallback", "ignore_merges"]);
      if (model.dropout !== undefined && model.dropout !== null && model.dropout !== 0) {
        throw new RangeError(
          `Cannot load the tokenizer: dropout of BPE is ${
            JSON.stringify(model.dropout)
          }, which would give different tokens for the same text each time; set it to null`,
        );
      }
      return {
        ...model,
        type,
        vocab,
        merges: checkMerges(model.merges, vocab, model),
      };
    }
    case "WordPiece":
      optionalTexts(model, ["unk_token", "continuing_subword_prefix"]);
      if (!isCount(model.max_input_chars_per_word ?? 100)) {
        throw new RangeError(
          `Cannot load the tokenizer: max_input_chars_per_word is ${
            JSON.stringify(model.max_input_chars_per_word)
          }, expected an integer of at least 0`,
        );
      }
      return { ...model, type, vocab: checkVocab(model.vocab) };
    case "WordLevel":
      optionalTexts(model, ["unk_token"]);
      return { ...model, type, vocab: checkVocab(model.vocab) };
    case "Unigram":
      optionalFlags(model, ["byte_fallback"]);
      return { ...model, type, vocab: checkUnigram(model) };
    default:
      throw new TypeError(
        `Cannot load the tokenizer: its model is of type ${JSON.stringify(type)}`,
      );
  }
}

function checkVocab(value: unknown): Record<string, number> {
  const vocab = record(value, "its vocabulary");
  for (const [text, id] of Object.entries(vocab)) checkId(id, text);
  return vocab as Record<string, number>;
}

function checkId(id: unknown, text: string): void {
  if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= maximumId) {
    throw new RangeError(
      `Cannot load the tokenizer: token ${JSON.stringify(text)} has the id ${
        JSON.stringify(id)
      }, ` +
        `expected an integer from 0 to ${maximumId - 1}`,
    );
  }
}

/** Merges are "left right" or [left, right]. Both parts and their combination must be tokens, as in the Rust library. */
function checkMerges(
  value: unknown,
  vocab: Record<string, number>,
  model: Record<string, unknown>,
): [string, string][] {
  if (!Array.isArray(value)) {
    throw new TypeError(`Cannot load the tokenizer: merges are ${kind(value)}, expected an array`);
  }
  const prefix = typeof model.continuing_subword_prefix === "string"
    ? model.continuing_subword_prefix
    : "";
  return Array.from(value, (merge, index): [string, string] => {
    const pair = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((x) => typeof x === "string")) {
      throw new TypeError(
        `Cannot load the tokenizer: merge ${index} is ${
          JSON.stringify(merge)?.slice(0, 80)
        }, expected two strings`,
      );
    }
    const joined = pair[0] + pair[1].slice(pair[1].startsWith(prefix) ? prefix.length : 0);
    for (const text of [pair[0], pair[1], joined]) {
      if (!Object.hasOwn(vocab, text)) {
        throw new RangeError(
          `Cannot load the tokenizer: merge ${index} needs the token ${
            JSON.stringify(text.slice(0, 80))
          }, ` +
            "which is not in the vocabulary",
        );
      }
    }
    return [pair[0], pair[1]];
  });
}

function checkUnigram(model: Record<string, unknown>): [string, number][] {
  const vocab = model.vocab;
  if (!Array.isArray(vocab) || vocab.length === 0 || vocab.length > maximumId) {
    throw new TypeError(
      "Cannot load the tokenizer: a Unigram vocabulary is an array of [text, score]",
    );
  }
  vocab.forEach((entry, id) => {
    const good = Array.isArray(entry) && typeof entry[0] === "string" && Number.isFinite(entry[1]);
    if (!good) {
      throw new TypeError(
        `Cannot load the tokenizer: token ${id} is ${
          JSON.stringify(entry)?.slice(0, 80)
        }, expected [text, score]`,
      );
    }
  });
  const unknown = model.unk_id ?? null;
  if (unknown !== null && !(isCount(unknown) && unknown < vocab.length)) {
    throw new RangeError(
      `Cannot load the tokenizer: unk_id ${
        JSON.stringify(unknown)
      } is not one of ${vocab.length} tokens`,
    );
  }
  return vocab as [string, number][];
}

/** The note about tokens whose ids differ from those in a file. */
export function movedNote(
  tokens: readonly AddedToken[],
  file = "tokenizer.json",
): string[] {
  if (tokens.length === 0) return [];
  const shown = tokens.slice(0, 3).map(({ content, id }) => `${JSON.stringify(content)} is ${id}`);
  return [
    `${file} gives added tokens ids other than the next free ones; as in Python, ${
      shown.join(", ")
    }${tokens.length > 3 ? ` and ${tokens.length - 3} more` : ""}.`,
  ];
}

/** Parts of a `tokenizer.json`. The last one names the tokens of chat roles. */
const parts = [
  "version",
  "truncation",
  "padding",
  "added_tokens",
  "normalizer",
  "pre_tokenizer",
  "post_processor",
  "decoder",
  "model",
  "role_to_token",
];

/** Notes about parts that are not read. @throws {RangeError} when the version is unknown. */
function unreadParts(json: Record<string, unknown>): string[] {
  if ((json.version ?? "1.0") !== "1.0") {
    throw new RangeError(
      `Cannot load the tokenizer: version of tokenizer.json is ${
        JSON.stringify(json.version)
      }; expected "1.0"`,
    );
  }
  const more = Object.keys(json).filter((key) => !parts.includes(key));
  if (more.length === 0) return [];
  const shown = more.slice(0, 5).map((key) => JSON.stringify(key.slice(0, 40))).join(", ");
  return [`tokenizer.json has parts that are ignored, as in Python's tokenizers: ${shown}.`];
}

const tokenKeys = ["id", "content", "special", "single_word", "lstrip", "rstrip", "normalized"];

/** Checks the entries of `added_tokens`. @throws {TypeError | RangeError} when an entry is invalid, or its id differs from that in `ids`. */
export function checkAddedTokens(
  value: unknown,
  ids: ReadonlyMap<string, number> = new Map(),
): AddedToken[] {
  if (!Array.isArray(value)) {
    throw new TypeError(
      `Cannot load the tokenizer: added_tokens is ${kind(value)}, expected an array`,
    );
  }
  return Array.from(value, (entry, index) => {
    const token = record(entry, `added token ${index}`);
    const { content, id } = token;
    if (typeof content !== "string" || content === "") {
      throw new TypeError(`Cannot load the tokenizer: added token ${index} has no text`);
    }
    checkId(id, content);
    const known = ids.get(content);
    if (known !== undefined && known !== id) {
      throw new RangeError(
        `Cannot load the tokenizer: added token ${JSON.stringify(content)} has the id ${id}, ` +
          `but the vocabulary lists it as ${known}`,
      );
    }
    const strange = Object.keys(token).find((key) => !tokenKeys.includes(key));
    if (strange !== undefined) {
      throw new RangeError(
        `Cannot load the tokenizer: added token ${JSON.stringify(content)} has the unknown key ${
          JSON.stringify(strange)
        }; expected one of ${tokenKeys.join(", ")}`,
      );
    }
    const what = (name: string) => `${name} of added token ${JSON.stringify(content.slice(0, 80))}`;
    const option = (name: string, otherwise = false) => flag(token[name], what(name), otherwise);
    const special = option("special");
    return {
      id: id as number,
      content,
      special,
      single_word: option("single_word"),
      lstrip: option("lstrip"),
      rstrip: option("rstrip"),
      normalized: option("normalized", !special),
    };
  });
}

function optionalTexts(model: Record<string, unknown>, names: readonly string[]): void {
  for (const name of names) {
    const value = model[name];
    if (value !== undefined && value !== null && typeof value !== "string") {
      throw new TypeError(
        `Cannot load the tokenizer: ${name} is ${kind(value)}, expected a string`,
      );
    }
  }
}

function optionalFlags(model: Record<string, unknown>, names: readonly string[]): void {
  for (const name of names) flag(model[name], name, false);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}
