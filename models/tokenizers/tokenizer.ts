/**
 * Converts text to token ids and back, from the files that come with models. Added tokens are found first. The text between them is normalised,
 * split into words and passed to the model. The tokens are those of the Rust library that Python uses. `tokenizer_components.ts` lists the
 * implementation of each component, and the cases in which `@huggingface/tokenizers` would give different tokens.
 *
 * @module
 */
import { defaultTemplate } from "./chat_templates.ts";
import { type SpecialTokenFiles, type SpecialTokens, specialTokensOf } from "./special_tokens.ts";
import { tokenFinder } from "./tokenizer_added.ts";
import type { TokenizerJson } from "./tokenizer_check.ts";
import { cleaned, decoderOf } from "./components/tokenizer_decoders.ts";
import { modelOf } from "./components/tokenizer_models.ts";
import { normalizerOf } from "./components/tokenizer_normalizers.ts";
import { record } from "./tokenizer_record.ts";
import { settledJson, splitsSpecial } from "./tokenizer_settings.ts";
import { splitterOf } from "./components/tokenizer_splits.ts";
import { encodeByWords } from "./tokenizer_words.ts";

/** Options of {@linkcode Tokenizer.encode}. */
export interface EncodeOptions {
  /** Whether to add the tokens that the model expects around a text, such as BOS. Default true. */
  readonly addSpecial?: boolean;
}

/** Options of {@linkcode Tokenizer.decode}. */
export interface DecodeOptions {
  /** Whether to omit special tokens from the text. Default true. */
  readonly skipSpecial?: boolean;
}

/** The contents of other tokenizer files in a folder. */
export interface TokenizerOptions extends SpecialTokenFiles {
  /** Contents of `added_tokens.json`, which older folders have instead of `added_tokens_decoder`. */
  readonly addedTokens?: unknown;
  /** Contents of `chat_template.jinja`. It takes precedence over `tokenizer_config.json`. */
  readonly chatTemplate?: string | undefined;
  /** Texts of additional templates in separate files, by name. Not used here. */
  readonly otherTemplates?: ReadonlyMap<string, string> | undefined;
  /** Texts by id, for ids whose text `tokenizer.json` cannot express because another id has the same text. */
  readonly texts?: readonly string[] | undefined;
  /** A number for each merge of the model: the lowest is applied first, and of equal ones the leftmost pair. Default: the order of the list. */
  readonly mergeOrder?: readonly number[] | undefined;
  /** Information for the user about how the files were made, one sentence each. */
  readonly notes?: readonly string[] | undefined;
}

/** Converts text to token ids and back. */
export interface Tokenizer extends SpecialTokens {
  /**
   * Returns the ids of a text.
   *
   * @throws {TypeError} when the tokenizer cannot represent it and has no unknown token.
   */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * Returns the text of ids. Ids without a token give no text, because models may have more rows than tokens.
   *
   * @throws {RangeError} for a number that is not an integer of at least 0.
   */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** One more than the largest id. */
  readonly vocabularySize: number;
  /** The Jinja template for conversations, if there is one. */
  readonly chatTemplate?: string;
  /** What the files ask for that is not supported, one sentence each. */
  readonly notes?: readonly string[];
}

/**
 * Creates a tokenizer from the parsed contents of `tokenizer.json` and, if there is one, `tokenizer_config.json`.
 *
 * The tokens before and after a text are determined as in transformers (special_tokens.ts). Spaces are not cleaned up unless the configuration
 * requests it.
 *
 * @throws {TypeError | RangeError} when the contents are not those of a tokenizer, or would make it hang.
 *
 * @example A tokenizer with three letters and one merge
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
  const config = tokenizerConfig === undefined || tokenizerConfig === null
    ? {}
    : record(tokenizerConfig, "tokenizer_config.json");
  const json = settledJson(tokenizerJson, config, options);
  const { ids, texts } = vocabularyOf(json, options.texts ?? []);
  const special = specialTokensOf(
    json.post_processor,
    config,
    options,
    (text) => ids.get(text),
    texts.length,
  );
  const normalize = normalizerOf(json.normalizer);
  const split = splitterOf(json.pre_tokenizer);
  // Only Metaspace depends on whether a piece begins the text.
  const asksFirst = JSON.stringify(json.pre_tokenizer)?.includes('"first"') === true;
  const model = modelOf(json.model, options.mergeOrder);
  const join = decoderOf(json.decoder);
  // Tokens are found in the original text unless they are marked as normalized; those are found in the normalizer's output.
  const sought = splitsSpecial(config)
    ? json.added_tokens.filter((it) => !it.special)
    : json.added_tokens;
  const found = tokenFinder(sought.filter((it) => !it.normalized), (it) => it.content);
  const foundNormalized = tokenFinder(
    sought.filter((it) => it.normalized),
    (it) => normalize(it.content),
  );
  const skipped = new Set(json.added_tokens.filter((it) => it.special).map((it) => it.content));
  const tidy = config.clean_up_tokenization_spaces === true ? cleaned : (text: string) => text;
  const notes = [...options.notes ?? [], ...json.notes];
  const chatTemplate = options.chatTemplate ?? defaultTemplate(config.chat_template);

  const encodePart = encodeByWords(json, (text, first) => {
    const pieces = split([{ text, first }]);
    return pieces.length === 1 ? model(pieces[0].text) : pieces.flatMap((it) => model(it.text));
  });

  function idsOf(text: string): number[] {
    const sections = found(text);
    const only = sections[0];
    if (sections.length === 1 && "text" in only) {
      // Fast path: most texts contain no added token, so nothing has to be put together.
      const parts = foundNormalized(normalize(only.text));
      const part = parts[0];
      if (parts.length === 1 && "text" in part) {
        return encodePart(part.text, !(asksFirst && normalize.takesFirst(only.text)));
      }
    }
    const result: number[] = [];
    for (const section of sections) {
      if ("id" in section) {
        result.push(section.id);
        continue;
      }
      const begins = section.start === 0 && !(asksFirst && normalize.takesFirst(section.text));
      for (const part of foundNormalized(normalize(section.text))) {
        if ("id" in part) result.push(part.id);
        else for (const id of encodePart(part.text, begins && part.start === 0)) result.push(id);
      }
    }
    return result;
  }

  return {
    vocabularySize: texts.length,
    ...special,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(notes.length === 0 ? {} : { notes }),
    encode(text: string, { addSpecial = true }: EncodeOptions = {}): number[] {
      try {
        const encoded = idsOf(text.toWellFormed());
        return addSpecial ? [...special.start, ...encoded, ...special.end] : encoded;
      } catch (error) {
        throw failure(`tokenise ${preview(text)}`, error);
      }
    },
    decode(tokens: readonly number[], { skipSpecial = true }: DecodeOptions = {}): string {
      const spelled: string[] = [];
      for (const id of tokens) {
        if (!Number.isInteger(id) || id < 0) {
          throw new RangeError(`Cannot decode token id ${id}: it is not an integer of at least 0`);
        }
        const text = texts[id];
        if (text !== undefined && !(skipSpecial && skipped.has(text))) spelled.push(text);
      }
      try {
        return tidy(join(spelled)).toWellFormed();
      } catch (error) {
        throw failure(`decode ${spelled.length} tokens`, error);
      }
    },
  };
}

/** Wraps errors of the engine, which can be of any kind. Errors of this library are kept. */
function failure(what: string, error: unknown): Error {
  if (error instanceof Error && error.message.startsWith("Cannot ")) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TypeError(`Cannot ${what}: ${message}`, { cause: error });
}

/** Ids by text and texts by id. If several ids have the same text, the text is encoded as the first. */
function vocabularyOf(
  json: TokenizerJson,
  more: readonly string[],
): { ids: ReadonlyMap<string, number>; texts: readonly (string | undefined)[] } {
  const { vocab } = json.model;
  const ids = new Map<string, number>();
  const texts: (string | undefined)[] = [...more];
  const add = (text: string, id: number): void => {
    if (!ids.has(text)) ids.set(text, id);
    while (texts.length <= id) texts.push(undefined);
    texts[id] = text;
  };
  if (Array.isArray(vocab)) vocab.forEach(([text], id) => add(text, id));
  else for (const [text, id] of Object.entries(vocab)) add(text, id);
  for (const token of json.added_tokens) add(token.content, token.id);
  if (ids.size === 0) throw new RangeError("Cannot load the tokenizer: its vocabulary is empty");
  return { ids, texts };
}

function preview(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}
