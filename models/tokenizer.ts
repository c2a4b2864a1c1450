/**
 * Text to token ids and back, from the files that models come with. The algorithms are those of
 * `@huggingface/tokenizers`; what is added here is a narrow interface, checks that hold against hostile files, and typed
 * errors.
 *
 * @module
 */
import { Tokenizer as Engine } from "@huggingface/tokenizers";
import { checkTokenizerJson, record, type TokenizerJson } from "./tokenizer_check.ts";

/** Options of {@linkcode Tokenizer.encode}. */
export interface EncodeOptions {
  /** Whether to add what the model expects around a text, such as its BOS token. Default true. */
  readonly addSpecial?: boolean;
}

/** Options of {@linkcode Tokenizer.decode}. */
export interface DecodeOptions {
  /** Whether to leave special tokens out of the text. Default true. */
  readonly skipSpecial?: boolean;
}

/** What other files of a folder say of its tokenizer. */
export interface TokenizerOptions {
  /** The text of `chat_template.jinja`, which holds whatever `tokenizer_config.json` says. */
  readonly chatTemplate?: string | undefined;
}

/** Text to token ids and back. */
export interface Tokenizer {
  /** The ids of a text; a TypeError if the tokenizer cannot spell it and has no token for the unknown. */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * The text of ids. Ids that no token has (models may have more rows than tokens) give no text.
   * A RangeError is thrown for what is not an integer of at least 0.
   */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** One more than the largest id. */
  readonly vocabularySize: number;
  /** The id that begins a text, if the tokenizer names one. */
  readonly bos?: number;
  /** The id that ends a text, if the tokenizer names one. */
  readonly eos?: number;
  /** The Jinja template that lays out a conversation, if there is one. */
  readonly chatTemplate?: string;
}

/**
 * A tokenizer from the parsed contents of `tokenizer.json` and, if there is one, `tokenizer_config.json`.
 *
 * BOS and EOS are `bos_token` and `eos_token` of the configuration; `add_bos_token` and `add_eos_token`, where true,
 * hold whatever the post-processor does. Spaces are never cleaned up unless the configuration says so.
 *
 * @throws TypeError or RangeError if the contents are not those of a tokenizer, or would make it hang.
 *
 * @example A tokenizer of three letters and one merge
 * ```ts
 * import { tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = tokenizerFromJson({
 *   model: { type: "BPE", vocab: { a: 0, b: 1, c: 2, ab: 3 }, merges: ["a b"] },
 *   decoder: { type: "Fuse" },
 * });
 * assertEquals(tokenizer.encode("cabc"), [2, 3, 2]);
 * assertEquals(tokenizer.decode([2, 3, 2]), "cabc");
 * ```
 */
export function tokenizerFromJson(
  tokenizerJson: unknown,
  tokenizerConfig?: unknown,
  options: TokenizerOptions = {},
): Tokenizer {
  const json = checkTokenizerJson(tokenizerJson);
  const config = tokenizerConfig === undefined || tokenizerConfig === null
    ? {}
    : record(tokenizerConfig, "tokenizer_config.json");
  const engine = attempt("load the tokenizer", () => new Engine(json, engineConfig(config)));
  const ids = tokenIds(json);
  const bos = namedToken(config, "bos_token", ids);
  const eos = namedToken(config, "eos_token", ids);
  const vocabularySize = Math.max(...chunkMaxima([...ids.values()])) + 1;
  const known = new Set(ids.values());
  const addBos = config.add_bos_token === true && bos !== undefined;
  const addEos = config.add_eos_token === true && eos !== undefined;
  const chatTemplate = options.chatTemplate ?? chatTemplateOf(config.chat_template);

  return {
    vocabularySize,
    ...(bos === undefined ? {} : { bos }),
    ...(eos === undefined ? {} : { eos }),
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    encode(text: string, options: EncodeOptions = {}): number[] {
      const addSpecial = options.addSpecial ?? true;
      const encoded = attempt(
        `tokenise ${preview(text)}`,
        () =>
          text === "" && !addSpecial
            ? []
            : engine.encode(text, { add_special_tokens: addSpecial }).ids,
      );
      for (const id of encoded) {
        if (!known.has(id)) {
          throw new TypeError(
            `Cannot tokenise ${
              preview(text)
            }: a part of it has no token, and there is no token for the unknown`,
          );
        }
      }
      if (addSpecial && addBos && encoded[0] !== bos) encoded.unshift(bos);
      if (addSpecial && addEos && encoded[encoded.length - 1] !== eos) encoded.push(eos);
      return encoded;
    },
    decode(tokens: readonly number[], options: DecodeOptions = {}): string {
      for (const id of tokens) {
        if (!Number.isInteger(id) || id < 0) {
          throw new RangeError(`Cannot decode token id ${id}: it is not an integer of at least 0`);
        }
      }
      const spelled = tokens.filter((id) => known.has(id));
      if (spelled.length === 0) return "";
      return attempt(
        `decode ${spelled.length} tokens`,
        () => engine.decode(spelled, { skip_special_tokens: options.skipSpecial ?? true }),
      );
    },
  };
}

/** Runs library code, whose errors are of any kind, and turns them into a TypeError. */
function attempt<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TypeError(`Cannot ${what}: ${message}`, { cause: error });
  }
}

/** Only the entries the library reads, and only of the types it expects. */
function engineConfig(config: Record<string, unknown>): Record<string, unknown> {
  const flags = ["remove_space", "do_lowercase_and_remove_accent"] as const;
  const result: Record<string, unknown> = {
    clean_up_tokenization_spaces: config.clean_up_tokenization_spaces === true,
  };
  for (const flag of flags) if (config[flag] === true) result[flag] = true;
  const eos = tokenText(config.eos_token);
  if (eos !== undefined) result.eos_token = eos;
  const more = config.additional_special_tokens;
  if (Array.isArray(more)) {
    result.additional_special_tokens = more.map(tokenText).filter((text) => text !== undefined);
  }
  return result;
}

function tokenIds(json: TokenizerJson): Map<string, number> {
  const vocab = json.model.vocab;
  const ids = new Map<string, number>(
    Array.isArray(vocab)
      ? vocab.map(([text], id): [string, number] => [text, id])
      : Object.entries(vocab),
  );
  for (const token of json.added_tokens) ids.set(token.content, token.id);
  if (ids.size === 0) throw new RangeError("Cannot load the tokenizer: its vocabulary is empty");
  return ids;
}

/** Maxima of slices: a call cannot take a whole vocabulary as arguments. */
function chunkMaxima(values: readonly number[]): number[] {
  const maxima: number[] = [];
  for (let i = 0; i < values.length; i += 4096) {
    maxima.push(Math.max(...values.slice(i, i + 4096)));
  }
  return maxima;
}

function namedToken(
  config: Record<string, unknown>,
  name: string,
  ids: ReadonlyMap<string, number>,
): number | undefined {
  const text = tokenText(config[name]);
  if (text === undefined) return undefined;
  const id = ids.get(text);
  if (id === undefined) {
    throw new RangeError(
      `Cannot load the tokenizer: ${name} ${JSON.stringify(text)} is not in the vocabulary`,
    );
  }
  return id;
}

/** A token in a configuration is its text, or an object with the text as `content`. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "content" in value) {
    return typeof value.content === "string" ? value.content : undefined;
  }
  return undefined;
}

/** One template, or a list of named ones of which "default" counts. */
function chatTemplateOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  for (const entry of value) {
    if (typeof entry === "object" && entry !== null && entry.name === "default") {
      return typeof entry.template === "string" ? entry.template : undefined;
    }
  }
  return undefined;
}

function preview(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}
