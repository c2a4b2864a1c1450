/**
 * Models of a `tokenizer.json`: they convert words to ids.
 *
 * @module
 */
import { WordPiece } from "@huggingface/tokenizers";
import { bpeModel } from "./tokenizer_bpe.ts";
import type { TokenizerModel } from "../tokenizer_check.ts";
import { unigramModel } from "./tokenizer_unigram.ts";

/** Returns the ids of a word. @throws {TypeError} when a part of it has no token and there is no unknown token. */
export type WordModel = (word: string) => readonly number[];

/** Models by type. */
const models: Readonly<
  Record<
    TokenizerModel["type"],
    (model: TokenizerModel, order: readonly number[] | undefined) => WordModel
  >
> = {
  BPE: (model, order) =>
    bpeModel({
      vocab: vocabulary(model),
      merges: model.merges ?? [],
      order,
      unknown: model.unk_token ?? undefined,
      prefix: text(model.continuing_subword_prefix),
      suffix: text(model.end_of_word_suffix),
      fuseUnknown: model.fuse_unk === true,
      byteFallback: model.byte_fallback === true,
      ignoreMerges: model.ignore_merges === true,
    }),
  Unigram: (model) =>
    unigramModel({
      pieces: model.vocab as readonly (readonly [string, number])[],
      unknown: typeof model.unk_id === "number" ? model.unk_id : undefined,
      byteFallback: model.byte_fallback === true,
    }),
  WordPiece: (model) => {
    const vocab = vocabulary(model);
    const unknown = model.unk_token ?? "[UNK]";
    const engine = new WordPiece(
      {
        type: "WordPiece",
        vocab: Object.fromEntries(vocab),
        unk_token: unknown,
        continuing_subword_prefix: text(model.continuing_subword_prefix) ?? "##",
        max_input_chars_per_word: model.max_input_chars_per_word ?? 100,
      } as ConstructorParameters<typeof WordPiece>[0],
    );
    return (word) =>
      engine.encode([word]).map((token) => vocab.get(token) ?? missing(word, unknown));
  },
  WordLevel: (model) => {
    const vocab = vocabulary(model);
    const unknown = model.unk_token ?? "<unk>";
    return (word) => [vocab.get(word) ?? vocab.get(unknown) ?? missing(word, unknown)];
  },
};

/** The model that a checked `tokenizer.json` describes. `order` is the order of its merges, if several are equal. */
export function modelOf(model: TokenizerModel, order?: readonly number[]): WordModel {
  return models[model.type](model, order);
}

function vocabulary(model: TokenizerModel): ReadonlyMap<string, number> {
  return new Map(Object.entries(model.vocab as Readonly<Record<string, number>>));
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function missing(word: string, unknown: string): never {
  throw new TypeError(
    `Cannot tokenise ${
      JSON.stringify(word.length > 40 ? `${word.slice(0, 40)}...` : word)
    }: a part of it has no token, and unk_token ${JSON.stringify(unknown)} has none either`,
  );
}
