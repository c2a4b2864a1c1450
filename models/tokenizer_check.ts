/**
 * Checks of a `tokenizer.json` before the library sees it: it throws anything on wrong shapes, and some values (a huge
 * id, a length of 0, an expression with nested repetition) would make it hang or fill the memory.
 *
 * @module
 */
import { checkRegex } from "./tokenizer_regex.ts";

/** Ids are held in an array by the library; no known vocabulary comes near this. */
const maximumId = 1 << 22;
const maximumDepth = 24;

/** An entry of `added_tokens`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly [flag: string]: unknown;
}

/** `model` of a `tokenizer.json`: BPE and WordPiece map texts to ids, Unigram lists texts with scores. */
export interface TokenizerModel {
  readonly type: "BPE" | "WordPiece" | "Unigram";
  readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  readonly merges?: readonly (readonly [string, string])[];
  readonly unk_token?: string | null;
  readonly [option: string]: unknown;
}

/** A `tokenizer.json` whose shape was checked; absent components are null, merges are pairs. */
export interface TokenizerJson {
  readonly model: TokenizerModel;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly post_processor: unknown;
  readonly decoder: unknown;
}

/** `value` as an object of entries; a TypeError that names `what` otherwise. */
export function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`Cannot load the tokenizer: ${what} is ${kind(value)}, expected an object`);
  }
  return value as Record<string, unknown>;
}

/**
 * The checked contents of a `tokenizer.json`.
 *
 * @throws TypeError for a wrong shape, RangeError for a wrong value.
 */
export function checkTokenizerJson(value: unknown): TokenizerJson {
  const json = record(value, "tokenizer.json");
  const model = checkModel(record(json.model, "its model"));
  const component = (name: string): unknown => {
    const value = json[name] ?? null;
    if (value !== null) checkComponent(value, name, 0);
    return value;
  };
  return {
    model,
    added_tokens: checkAddedTokens(json.added_tokens ?? []),
    normalizer: component("normalizer"),
    pre_tokenizer: component("pre_tokenizer"),
    post_processor: component("post_processor"),
    decoder: component("decoder"),
  };
}

function checkModel(model: Record<string, unknown>): TokenizerModel {
  const type: unknown = model.type ??
    (Array.isArray(model.vocab) ? "Unigram" : "merges" in model ? "BPE" : "WordPiece");
  switch (type) {
    case "BPE": {
      const vocab = checkVocab(model.vocab);
      optionalTexts(model, [
        "unk_token",
        "continuing_subword_prefix",
        "end_of_word_suffix",
        "continuing_subword_suffix",
      ]);
      return {
        ...model,
        type,
        vocab,
        merges: checkMerges(model.merges, vocab, model),
      };
    }
    case "WordPiece":
      optionalTexts(model, ["unk_token", "continuing_subword_prefix"]);
      return { ...model, type, vocab: checkVocab(model.vocab) };
    case "Unigram":
      return { ...model, type, vocab: checkUnigram(model) };
    default:
      throw new TypeError(
        `Cannot load the tokenizer: its model is of type ${
          JSON.stringify(type)
        }, known are BPE, WordPiece, Unigram`,
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

/** Merges are "left right" or [left, right]; both and what they join must be tokens, as in the Rust library. */
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
  return value.map((merge, index): [string, string] => {
    const pair = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((x) => typeof x === "string")) {
      throw new TypeError(
        `Cannot load the tokenizer: merge ${index} is ${
          JSON.stringify(merge)?.slice(0, 80)
        }, expected two texts`,
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
  const unknown = model.unk_id;
  if (
    typeof unknown !== "number" || !Number.isInteger(unknown) || unknown < 0 ||
    unknown >= vocab.length
  ) {
    throw new RangeError(
      `Cannot load the tokenizer: unk_id ${
        JSON.stringify(unknown)
      } is not one of ${vocab.length} tokens`,
    );
  }
  return vocab as [string, number][];
}

function checkAddedTokens(value: unknown): AddedToken[] {
  if (!Array.isArray(value)) {
    throw new TypeError(
      `Cannot load the tokenizer: added_tokens is ${kind(value)}, expected an array`,
    );
  }
  return value.map((entry, index) => {
    const token = record(entry, `added token ${index}`);
    if (typeof token.content !== "string" || token.content === "") {
      throw new TypeError(`Cannot load the tokenizer: added token ${index} has no text`);
    }
    checkId(token.id, token.content);
    return token as unknown as AddedToken;
  });
}

/** Normalizers, pre-tokenizers, post-processors and decoders nest; every object of theirs is checked. */
function checkComponent(value: unknown, path: string, depth: number): void {
  if (depth > maximumDepth) {
    throw new RangeError(
      `Cannot load the tokenizer: ${path} nests deeper than ${maximumDepth} levels`,
    );
  }
  if (Array.isArray(value)) {
    value.forEach((item, index) => checkComponent(item, `${path}[${index}]`, depth + 1));
    return;
  }
  if (depth === 0) record(value, path);
  if (typeof value === "number" && !(Math.abs(value) <= maximumId)) {
    throw new RangeError(`Cannot load the tokenizer: ${path} is ${value}`);
  }
  if (typeof value !== "object" || value === null) return;
  for (const [name, item] of Object.entries(value)) {
    if (name === "Regex" || name === "String") {
      if (typeof item !== "string" || item === "") {
        throw new TypeError(
          `Cannot load the tokenizer: ${path}.${name} is ${kind(item)}, expected a text`,
        );
      }
      if (name === "Regex") checkRegex(item, path);
    } else checkComponent(item, `${path}.${name}`, depth + 1);
  }
  const type = "type" in value ? value.type : undefined;
  if (type === "Split" || type === "Replace") {
    checkPattern("pattern" in value ? value.pattern : undefined, path);
  }
  if (type === "FixedLength") {
    const length = "length" in value ? value.length : undefined;
    if (typeof length !== "number" || !Number.isInteger(length) || length < 1) {
      throw new RangeError(
        `Cannot load the tokenizer: ${path}.length is ${
          JSON.stringify(length)
        }, expected 1 or more`,
      );
    }
  }
}

/** The library would warn on the console and go on without. */
function checkPattern(pattern: unknown, path: string): void {
  const named = typeof pattern === "object" && pattern !== null &&
    ("Regex" in pattern || "String" in pattern);
  if (!named) {
    throw new TypeError(`Cannot load the tokenizer: ${path}.pattern has neither Regex nor String`);
  }
}

function optionalTexts(model: Record<string, unknown>, names: readonly string[]): void {
  for (const name of names) {
    const value = model[name];
    if (value !== undefined && value !== null && typeof value !== "string") {
      throw new TypeError(`Cannot load the tokenizer: ${name} is ${kind(value)}, expected a text`);
    }
  }
}

function kind(value: unknown): string {
  if (value === null) return "null";
  if (value === "") return "an empty text";
  return Array.isArray(value) ? "an array" : typeof value;
}
