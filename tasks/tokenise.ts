/**
 * Tokenises rendered examples and plain texts.
 *
 * @module
 */
import { assertOptions, count, countOrNone } from "../optim/options.ts";
import type { Example } from "../models/batch.ts";
import { bringsStart, withoutStart, withStart } from "../models/tokenizers/special_tokens.ts";
import type { Tokenizer } from "../models/tokenizers/tokenizer.ts";
import { overlapOf } from "./distinct_texts.ts";
import { encodeLong } from "./long_text.ts";
import type { Sight } from "../models/architecture.ts";
import { maskedExample, maskedText } from "./masked_tokens.ts";
import { Pause } from "./pause.ts";
import type { RenderedExample } from "./template.ts";

/** Options of {@linkcode tokeniseExample}. */
export interface TokeniseOptions {
  /** The most tokens of the prompt and the longest candidate together. Default: no limit. */
  readonly maximumLength?: number;
  /** Number of tokens to leave free after the prompt for an answer to be generated, unless the candidates are longer. Default 0. */
  readonly room?: number;
  /**
   * Which tokens the model attends to. With `"all"`, candidates replace a masked token, which follows the prompt if the example does not place
   * it elsewhere. Default `"earlier"`: candidates follow the prompt.
   */
  readonly sees?: Sight;
}

/**
 * Tokenises a rendered example. The prompt is tokenised together with each candidate, because merges can cross the border. The tokens with which
 * all of these and the prompt alone begin are the shared prompt; the rest is the candidate. (MeZO determines the length of a candidate from the
 * same two tokenisations; here no candidate is ever cut on the wrong side.)
 *
 * A prompt that is too long is truncated at its beginning, but keeps the tokens that the tokenizer puts before every text, such as BOS. The
 * tokens it puts after a text are omitted, because a candidate is scored by its own tokens.
 *
 * For a model that attends to the whole text, the text has the tokens that the tokenizer puts around every text, one of its tokens is masked,
 * and every candidate is one token (MeZO's prompts for RoBERTa).
 *
 * @throws {RangeError} when a candidate adds no token, two have the same tokens, or the candidates alone are too long; for masked examples, when
 * a candidate is not exactly one token.
 *
 * @example A merge across the border
 * ```ts
 * import { tokeniseExample } from "@qzo/qzo/tasks";
 * import { tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = tokenizerFromJson({
 *   model: { type: "BPE", vocab: { a: 0, b: 1, c: 2, bc: 3 }, merges: ["b c"] },
 * });
 * assertEquals(tokeniseExample(tokenizer, { prompt: "ab", candidates: ["c", "a"], label: 1 }), {
 *   prompt: [0],
 *   candidates: [[3], [1, 0]],
 *   label: 1,
 * });
 * ```
 */
export function tokeniseExample(
  tokenizer: Tokenizer,
  rendered: RenderedExample,
  options: TokeniseOptions = {},
): Example {
  assertOptions("tokenise an example", options, {
    maximumLength: { ...count, infinite: true, whole: false },
    room: countOrNone,
    sees: "any",
  });
  const encoded = textsOfExample(rendered, tokenizer, options).map((text) =>
    tokenizer.encode(withoutStart(tokenizer, text), { addSpecial: false })
  );
  return exampleOfTokens(tokenizer, encoded, rendered, options).example;
}

/**
 * The texts to tokenise for an example: its prompt, its prompt with each candidate, and its prompt with the part of each candidate that is not
 * scored. For a model that attends to the whole text: the text with the mask, and each candidate.
 *
 * @throws {RangeError} when the example has a mask but the model does not predict masked tokens.
 */
export function textsOfExample(
  rendered: RenderedExample,
  tokenizer: Pick<Tokenizer, "mask" | "decode">,
  { sees = "earlier" }: Pick<TokeniseOptions, "sees"> = {},
): string[] {
  const { prompt, after, candidates, leads = [] } = rendered;
  if (sees === "all" && leads.length > 0) {
    throw new RangeError(
      "Cannot tokenise an example whose candidates are judged by what follows them: the model predicts masked tokens, not the next one; use another template, such as winogrande",
    );
  }
  if (sees === "all") return [maskedText(tokenizer, rendered), ...candidates];
  if (after !== undefined) {
    throw new RangeError(
      `Cannot tokenise an example with {mask} in its template: the model predicts the next token, not masked ones; use a template whose answer comes last`,
    );
  }
  return [prompt, ...[...candidates, ...leads].map((text) => prompt + text)];
}

/** An example in tokens, and its length before it was truncated. */
export interface MeasuredExample {
  /** The example, truncated if it was too long. */
  readonly example: Example;
  /** Number of tokens in the whole prompt and the longest candidate. */
  readonly tokens: number;
}

/**
 * Makes an example from the tokens of its texts.
 *
 * @param encoded The tokens of {@linkcode textsOfExample}, without special tokens around them.
 * @throws {RangeError} as {@linkcode tokeniseExample}.
 */
export function exampleOfTokens(
  tokenizer: Pick<Tokenizer, "start" | "end" | "mask" | "decode">,
  encoded: readonly (readonly number[])[],
  rendered: RenderedExample,
  { maximumLength = Infinity, room: free = 0, sees = "earlier" }: TokeniseOptions = {},
): MeasuredExample {
  if (sees === "all") {
    const [text, ...candidates] = encoded;
    assertToldApart(candidates, rendered);
    return maskedExample(tokenizer, { text, candidates }, rendered, maximumLength);
  }
  // What the tokenizer puts before every text is put before the shared prompt, not before each of the texts.
  const brings = tokenizer.start.length > 0 && encoded.some((ids) => bringsStart(tokenizer, ids));
  const start = brings ? [] : tokenizer.start;
  const started = brings ? encoded.map((ids) => withStart(tokenizer, ids)) : encoded;
  const alone = started[0];
  const whole = started.slice(1, 1 + rendered.candidates.length);
  const leading = started.slice(1 + whole.length);
  const shared = whole.reduce((length, ids) => commonPrefix(alone, ids, length), alone.length);
  const candidates = whole.map((ids) => ids.slice(shared));
  const bare = candidates.findIndex((ids) => ids.length === 0);
  if (bare >= 0) {
    throw new RangeError(
      `Cannot tokenise an example: candidate ${
        JSON.stringify(rendered.candidates[bare])
      } adds no token to its prompt`,
    );
  }
  assertToldApart(candidates, rendered);
  const leads = leading.map((ids, i) =>
    Math.max(0, commonPrefix(whole[i], ids, whole[i].length) - shared)
  );
  const unscored = leads.findIndex((lead, i) => lead >= candidates[i].length);
  if (unscored >= 0) {
    throw new RangeError(
      `Cannot tokenise an example: no part of candidate ${
        JSON.stringify(rendered.candidates[unscored])
      } is left to score`,
    );
  }
  const longest = candidates.reduce((most, ids) => Math.max(most, ids.length), 0);
  const room = maximumLength - longest;
  if (room < 1) {
    throw new RangeError(
      `Cannot tokenise an example: its longest candidate has ${longest} tokens, the maximum is ${maximumLength} including the prompt`,
    );
  }
  const own = shared === alone.length ? alone : alone.slice(0, shared);
  const prompt = start.length === 0 ? own : start.concat(own);
  return {
    example: {
      prompt: keepEnd(prompt, Math.min(room, maximumLength - free), tokenizer.start.length),
      candidates,
      label: rendered.label,
      ...(rendered.right ? { right: rendered.right } : {}),
      ...(leads.length > 0 ? { leads } : {}),
    },
    tokens: prompt.length + Math.max(longest, free),
  };
}

function assertToldApart(
  candidates: readonly (readonly number[])[],
  rendered: RenderedExample,
): void {
  const overlap = overlapOf(candidates);
  if (!overlap?.same) return;
  const [one, other] = overlap.pair.map((i) => JSON.stringify(rendered.candidates[i]));
  throw new RangeError(
    `Cannot tokenise an example: candidates ${one} and ${other} have the same tokens, so nothing can tell them apart`,
  );
}

/** The tokens that the tokenizer puts before every text, such as BOS. */
export function startTokens(tokenizer: Tokenizer): number[] {
  return [...tokenizer.start];
}

/**
 * {@linkcode promptTokens} for a text of any length.
 *
 * @param signal Aborts within a second.
 */
export async function longPromptTokens(
  tokenizer: Tokenizer,
  text: string,
  signal?: AbortSignal,
): Promise<number[]> {
  const pause = new Pause(signal);
  const ids = await encodeLong(tokenizer, withoutStart(tokenizer, text), { pause });
  return [...tokenizer.start, ...ids];
}

/**
 * The tokens of a text to continue. It starts with the tokens that the tokenizer puts before every text, which are not repeated if the text
 * contains them. Nothing is added at the end.
 */
export function promptTokens(tokenizer: Tokenizer, text: string): number[] {
  const ids = tokenizer.encode(withoutStart(tokenizer, text), { addSpecial: false });
  return [...tokenizer.start, ...ids];
}

function commonPrefix(a: readonly number[], b: readonly number[], limit: number): number {
  let length = 0;
  while (length < limit && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** The first `kept` and the last tokens of a list, `length` in total. */
function keepEnd(ids: readonly number[], length: number, kept: number): readonly number[] {
  if (ids.length <= length) return ids;
  const start = ids.slice(0, Math.min(kept, length));
  return [...start, ...ids.slice(ids.length - (length - start.length))];
}
