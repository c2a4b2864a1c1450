/**
 * Rendered examples and plain texts as token ids.
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
  /** Tokens of the prompt and the longest candidate together, at most. Default: no limit. */
  readonly maximumLength?: number;
  /** Tokens that are left free behind the prompt, where the candidates do not need them: room for an answer to be written. Default 0. */
  readonly room?: number;
  /**
   * What the model sees of a text: `"all"` has the candidates stand in the place of a masked token, behind the prompt where the example says no other.
   * Default `"earlier"`: candidates follow the prompt.
   */
  readonly sees?: Sight;
}

/**
 * A rendered example in tokens. The prompt is tokenised together with each candidate, as merges may cross the border; what
 * all of these and the prompt alone begin with is the shared prompt, the rest is the candidate. (MeZO counts a candidate's
 * tokens from the same two tokenisations; here none of them is ever cut from the wrong side.)
 *
 * A prompt that is too long loses its beginning, but keeps what the tokenizer puts before every text, such as a BOS token.
 * What it puts behind a text is left out: a candidate is judged by its own tokens.
 *
 * For a model that sees all of a text, the text has what the tokenizer puts around every text, one token of it is masked, and every candidate is one
 * token (MeZO's prompts for RoBERTa).
 *
 * @throws RangeError if a candidate adds no token, two have the same tokens, or the candidates alone are too long; of masked examples if a
 * candidate is not one token.
 *
 * @example A merge over the border
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
 * The texts that an example is tokenised by: its prompt, and its prompt with each candidate and with what each begins with that is not scored; for a model that sees all of a text, that with
 * the mask, and each candidate.
 *
 * @throws RangeError if the example has a mask and the model predicts none
 */
export function textsOfExample(
  rendered: RenderedExample,
  tokenizer: Pick<Tokenizer, "mask" | "decode">,
  { sees = "earlier" }: Pick<TokeniseOptions, "sees"> = {},
): string[] {
  const { prompt, after, candidates, leads = [] } = rendered;
  if (sees === "all" && leads.length > 0) {
    throw new RangeError(
      "Cannot tokenise an example whose candidates are judged by what follows them: the model predicts masked tokens, not the next one; take another template, such as winogrande",
    );
  }
  if (sees === "all") return [maskedText(tokenizer, rendered), ...candidates];
  if (after !== undefined) {
    throw new RangeError(
      `Cannot tokenise an example with {mask} in its template: the model predicts the next token, not masked ones; take a template whose answer comes last`,
    );
  }
  return [prompt, ...[...candidates, ...leads].map((text) => prompt + text)];
}

/** An example in tokens, and what it was before it was cut. */
export interface MeasuredExample {
  /** In tokens, cut where it was too long. */
  readonly example: Example;
  /** Tokens of the whole prompt and the longest candidate. */
  readonly tokens: number;
}

/**
 * An example from the tokens of its texts.
 *
 * @param encoded the tokens of {@linkcode textsOfExample}, without special ones around them.
 * @throws RangeError as {@linkcode tokeniseExample} does.
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
      `Cannot tokenise an example: nothing of candidate ${
        JSON.stringify(rendered.candidates[unscored])
      } is left to score`,
    );
  }
  const longest = candidates.reduce((most, ids) => Math.max(most, ids.length), 0);
  const room = maximumLength - longest;
  if (room < 1) {
    throw new RangeError(
      `Cannot tokenise an example: its longest candidate has ${longest} tokens, the maximum is ${maximumLength} with a prompt`,
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

/** The tokens that the tokenizer puts before every text, such as its BOS token. */
export function startTokens(tokenizer: Tokenizer): number[] {
  return [...tokenizer.start];
}

/**
 * {@linkcode promptTokens} of a text of any length.
 *
 * @param signal Stops within a second
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
 * The tokens of a text that is gone on with: what the tokenizer puts before every text, once, also where the text brings
 * it, and nothing behind.
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

/** The first `kept` and the last tokens of a list, `length` together. */
function keepEnd(ids: readonly number[], length: number, kept: number): readonly number[] {
  if (ids.length <= length) return ids;
  const start = ids.slice(0, Math.min(kept, length));
  return [...start, ...ids.slice(ids.length - (length - start.length))];
}
