/**
 * Examples for models that attend to the whole text and predict masked tokens in it (BERT, RoBERTa).
 *
 * @module
 */
import type { Example } from "../models/batch.ts";
import type { Tokenizer } from "../models/tokenizers/tokenizer.ts";
import { masterSeed } from "../optim/directions/seed.ts";
import { threefry2x32 } from "../optim/directions/threefry.ts";
import { permutation } from "./permutation.ts";
import { scaledWord } from "./scaled_word.ts";
import type { RenderedExample } from "./template.ts";

/** The fraction of a text's tokens that is predicted. */
const MASKED_SHARE = 0.15;
/** Separates these random numbers from those of permutations and of the optimiser. */
const domain = 0x34000000;

/**
 * The id of the mask token.
 *
 * @throws {TypeError} when the tokenizer has none.
 */
export function maskId({ mask }: Pick<Tokenizer, "mask">): number {
  if (mask !== undefined) return mask;
  throw new TypeError(
    "Cannot mask a token: the tokenizer has no mask_token; set it in the model's tokenizer_config.json",
  );
}

/** The text of a rendered example with the mask in its place. If neither template nor text contains a mask, it follows the prompt. */
export function maskedText(
  tokenizer: Pick<Tokenizer, "mask" | "decode">,
  { prompt, after }: RenderedExample,
): string {
  const mask = tokenizer.decode([maskId(tokenizer)], { skipSpecial: false });
  if (after !== undefined) return prompt + mask + after;
  return prompt.includes(mask) ? prompt : prompt + mask;
}

/** The tokens of a masked example. */
export interface MaskedTokens {
  /** Tokens of the text with the mask, without those that the tokenizer puts around it. */
  readonly text: readonly number[];
  /** Tokens of each candidate by itself. */
  readonly candidates: readonly (readonly number[])[];
}

/**
 * An example whose candidates replace one masked token, as in MeZO's prompts for RoBERTa. A text that is too long is truncated at its beginning
 * up to the mask, then at its end.
 *
 * @throws {RangeError} when a candidate is not exactly one token, or the text does not contain exactly one mask.
 */
export function maskedExample(
  tokenizer: Pick<Tokenizer, "start" | "end" | "mask" | "decode">,
  { text, candidates }: MaskedTokens,
  rendered: RenderedExample,
  maximumLength: number,
): { readonly example: Example; readonly tokens: number } {
  const mask = maskId(tokenizer);
  const long = candidates.findIndex((ids) => ids.length !== 1);
  if (long >= 0) {
    throw new RangeError(
      `Cannot tokenise an example: ${JSON.stringify(rendered.candidates[long])} has ${
        candidates[long].length
      } tokens (${
        candidates[long].map((id) => JSON.stringify(tokenizer.decode([id]))).join(", ")
      }), but a mask stands for one; choose words that are a single token, usually with a space before them`,
    );
  }
  const masks = text.filter((id) => id === mask).length;
  if (masks !== 1) {
    throw new RangeError(
      `Cannot tokenise an example: it has ${masks} masks, expected one; its text may contain the text of the mask itself, ${
        JSON.stringify(tokenizer.decode([mask], { skipSpecial: false }))
      }`,
    );
  }
  const { start, end } = tokenizer;
  const room = maximumLength - start.length - end.length;
  if (room < 1) {
    throw new RangeError(
      `Cannot tokenise an example: ${maximumLength} tokens leave no room for a mask between the ${
        start.length + end.length
      } that the tokenizer puts around every text`,
    );
  }
  const dropped = Math.min(Math.max(0, text.length - room), text.indexOf(mask));
  const prompt = [...start, ...text.slice(dropped, dropped + room), ...end];
  return {
    example: {
      prompt,
      candidates,
      label: rendered.label,
      masked: [prompt.indexOf(mask, start.length)],
    },
    tokens: start.length + text.length + end.length,
  };
}

/** Which tokens of a window are masked. */
export interface MaskingOptions {
  /** Seed, any safe integer of at least 0. Default 0. */
  readonly seed?: number | undefined;
  /** Index of the window. Windows with the same index and length are masked in the same way. */
  readonly round: number;
}

/**
 * A window in which 15 % of the tokens, at least one, must be predicted. Each of these is masked with a probability of 80 %, replaced by a
 * random token with 10 %, and unchanged with 10 % (Devlin et al., section 3.1). Tokens that the tokenizer puts around texts are never chosen.
 * Undefined for a window without other tokens.
 *
 * @param window A window with the tokens that the tokenizer puts around a text.
 */
export function maskedWindow(
  tokenizer: Pick<Tokenizer, "start" | "end" | "bos" | "eos" | "mask" | "vocabularySize">,
  window: readonly number[],
  { seed = 0, round }: MaskingOptions,
): Example | undefined {
  const { start, end, bos, eos, vocabularySize } = tokenizer;
  const mask = maskId(tokenizer);
  const kept = new Set([...start, ...end, bos, eos, mask]);
  const places = window.flatMap((id, place) => kept.has(id) ? [] : [place]);
  if (places.length === 0) return undefined;
  const count = Math.max(1, Math.round(MASKED_SHARE * places.length));
  const masked = permutation(places.length, seed, "mask", round).slice(0, count)
    .map((i) => places[i]).sort((a, b) => a - b);
  const prompt = [...window];
  const key = masterSeed(seed);
  for (const place of masked) {
    const [lot, token] = threefry2x32(key, [place, domain | round]);
    const tenth = scaledWord(lot, 10);
    if (tenth < 8) prompt[place] = mask;
    else if (tenth === 8) prompt[place] = scaledWord(token, vocabularySize);
  }
  return { prompt, candidates: [masked.map((place) => window[place])], label: 0, masked };
}

/**
 * A masked window with other tokens masked, for another epoch, so that over several epochs all tokens are predicted. The first epoch is that of
 * {@linkcode languageModellingExamples}; the number of masked tokens is the same in each.
 *
 * @param example A window of a text with masked tokens, not an example of a task.
 * @param place The index of the window, and that of the epoch, both from 0.
 * @throws {TypeError} when nothing is masked, or when the example has several candidates.
 *
 * @example Two epochs of a window
 * ```ts
 * import { languageModellingExamples, maskedAnew } from "@qzo/qzo/tasks";
 * import { tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals, assertNotEquals } from "@std/assert";
 *
 * const vocab = { "<mask>": 0, a: 1, b: 2, c: 3 };
 * const tokenizer = tokenizerFromJson({ model: { type: "BPE", vocab, merges: [] } });
 * const text = "abcabcabcabcabcabcabc";
 * const [window] = languageModellingExamples(tokenizer, [text], { length: 21, sees: "all" });
 * assertEquals(maskedAnew(tokenizer, window, { round: 0, epoch: 0 }), window);
 * const next = maskedAnew(tokenizer, window, { round: 0, epoch: 1 });
 * assertNotEquals(next.masked, window.masked);
 * assertEquals(next.masked?.length, window.masked?.length);
 * ```
 */
export function maskedAnew(
  tokenizer: Pick<Tokenizer, "start" | "end" | "bos" | "eos" | "mask" | "vocabularySize">,
  { prompt, candidates, masked }: Example,
  { round, epoch }: { readonly round: number; readonly epoch: number },
): Example {
  if (masked === undefined || candidates.length !== 1) {
    throw new TypeError(
      `Cannot mask other tokens of an example with ${
        masked ? `${candidates.length} candidates` : "nothing masked"
      }: it is not a window of a text`,
    );
  }
  const window = [...prompt];
  masked.forEach((place, i) => window[place] = candidates[0][i]);
  // Defined, because the window had masked tokens and therefore has tokens to mask.
  return maskedWindow(tokenizer, window, { round, seed: epoch })!;
}
