/**
 * Plain text as language-modelling examples.
 *
 * @module
 */
import { assertOptions, countOrNone } from "../optim/options.ts";
import type { Sight } from "../models/architecture.ts";
import type { Example } from "../models/batch.ts";
import type { Tokenizer } from "../models/tokenizers/tokenizer.ts";
import { maskedWindow, type MaskingOptions } from "./masked_tokens.ts";
import { bringsStart, withoutStart, withStart } from "../models/tokenizers/special_tokens.ts";

/** Options of {@linkcode languageModellingExamples}. */
export interface LanguageModellingOptions {
  /** Tokens per window, including those that the tokenizer puts before every text. At least 2. */
  readonly length: number;
  /**
   * `stream`: the documents are joined and divided every `length` tokens. Between them is what the tokenizer puts after every text, or else the
   * EOS token if there is one. A last window with fewer than 2 tokens is dropped. `document`: each document starts a window and ends as the
   * tokenizer ends every text; the part beyond `length` is dropped. Default `stream`.
   */
  readonly windows?: "stream" | "document";
  /**
   * Which tokens the model attends to. With `"all"`, every window has the tokens that the tokenizer puts around a text, and 15 % of its tokens
   * are masked and predicted. Default `"earlier"`: every token is predicted from those before it.
   */
  readonly sees?: Sight;
  /** Seed for the choice of masked tokens. Default 0. */
  readonly seed?: number;
}

/**
 * Divides documents into windows of tokens. Every window starts with the tokens that the tokenizer puts before every text (only once, if a
 * document already contains them). With a BOS token, the first token of the text is therefore also predicted; without one, it is only context.
 *
 * @throws {RangeError} when the length is below 2 or the documents give no window.
 *
 * @example Windows of a stream
 * ```ts
 * import { languageModellingExamples } from "@qzo/qzo/tasks";
 * import { tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = tokenizerFromJson({
 *   model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
 * });
 * const examples = languageModellingExamples(tokenizer, ["aab", "bba"], { length: 4 });
 * assertEquals(examples.map((example) => example.candidates[0]), [[0, 0, 1, 1], [1, 0]]);
 * ```
 */
export function languageModellingExamples(
  tokenizer: Tokenizer,
  documents: readonly string[],
  options: LanguageModellingOptions,
): Example[] {
  assertOptions("cut a text into windows", options, {
    length: "any",
    windows: "any",
    sees: "any",
    seed: countOrNone,
  });
  const { length, windows = "stream", sees, seed } = options;
  assertWindow(length);
  const encoded = documents.map((text) =>
    tokenizer.encode(withoutStart(tokenizer, text), { addSpecial: false })
  );
  const cut = windows === "document"
    ? encoded.map((ids) => documentWindow(tokenizer, ids, { length, sees }))
    : streamWindows(tokenizer, encoded, { length, sees });
  const examples = cut.filter((it) => it !== undefined).flatMap((window, round) =>
    seenWindow(tokenizer, window, { sees, seed, round }) ?? []
  );
  if (examples.length === 0) {
    throw new RangeError(
      `Cannot cut a text into windows: ${documents.length} documents give no window of 2 tokens`,
    );
  }
  return examples;
}

/**
 * Rejects a window length with which nothing would be predicted.
 *
 * @throws {RangeError} when the length is below 2.
 */
export function assertWindow(length: number): void {
  if (!Number.isInteger(length) || length < 2) {
    throw new RangeError(
      `Cannot cut a text into windows: a window of ${length} tokens, expected at least 2`,
    );
  }
}

/**
 * The tokens of a document with those that the tokenizer puts around every text. Those before the text are not repeated if the document contains
 * them.
 */
export function documentTokens(
  tokenizer: Pick<Tokenizer, "start" | "end">,
  ids: readonly number[],
): number[] {
  return [...withStart(tokenizer, ids), ...tokenizer.end];
}

/** Options for dividing text into windows. */
export interface WindowOptions {
  /** Tokens per window, including those that the tokenizer puts around every text. */
  readonly length: number;
  /** Which tokens the model attends to. With `"all"`, every window ends as the tokenizer ends texts. Default `"earlier"`. */
  readonly sees?: Sight | undefined;
}

/** The window at the start of a document. Undefined if it has fewer than 2 tokens. */
export function documentWindow(
  { start, end }: Pick<Tokenizer, "start" | "end">,
  ids: readonly number[],
  { length, sees }: WindowOptions,
): Example | undefined {
  const whole = documentTokens({ start, end }, ids);
  const window = sees === "all" && whole.length > length
    ? [...whole.slice(0, Math.max(0, length - end.length)), ...end]
    : whole.slice(0, length);
  return window.length >= 2 ? { prompt: [], candidates: [window], label: 0 } : undefined;
}

/** A window as the model sees it, unchanged or with masked tokens. Undefined if there is no token to mask. */
export function seenWindow(
  tokenizer: Parameters<typeof maskedWindow>[0],
  window: Example,
  { sees = "earlier", ...masking }: { readonly sees?: Sight | undefined } & MaskingOptions,
): Example | undefined {
  return sees === "all" ? maskedWindow(tokenizer, window.candidates[0], masking) : window;
}

function streamWindows(
  tokenizer: Tokenizer,
  documents: readonly (readonly number[])[],
  options: WindowOptions,
): Example[] {
  const stream = new WindowStream(tokenizer, options);
  return [...documents.flatMap((ids) => [...stream.document(ids)]), ...stream.end()];
}

/**
 * Divides joined documents into windows. Each window starts with the tokens that the tokenizer puts before every text; a last one with fewer
 * than 2 tokens is dropped.
 */
export class WindowStream {
  readonly #tokenizer: Pick<Tokenizer, "start" | "end" | "eos">;
  readonly #length: number;
  readonly #room: number;
  readonly #closes: boolean;
  #documents = 0;
  #held: number[] = [];

  /**
   * Makes windows of `length` tokens, including those that the tokenizer puts before every text and, if tokens attend to the whole text, those
   * after it.
   */
  constructor(
    tokenizer: Pick<Tokenizer, "start" | "end" | "eos">,
    { length, sees }: WindowOptions,
  ) {
    this.#tokenizer = tokenizer;
    this.#closes = sees === "all";
    this.#length = length - (this.#closes ? tokenizer.end.length : 0);
    this.#room = Math.max(1, this.#length - tokenizer.start.length);
  }

  /** The windows that another document completes, given its tokens or the first of them. */
  *document(ids: readonly number[]): Generator<Example> {
    const { start, end, eos } = this.#tokenizer;
    if (this.#documents++ > 0) {
      yield* this.more(end.length > 0 ? end : eos === undefined ? [] : [eos]);
    }
    yield* this.more(bringsStart(this.#tokenizer, ids) ? ids.slice(start.length) : ids);
  }

  /** The windows that more tokens of the same document complete. */
  *more(ids: readonly number[]): Generator<Example> {
    for (const id of ids) {
      this.#held.push(id);
      if (this.#held.length === this.#room) yield* this.#window();
    }
  }

  /** The last windows, with the tokens that follow the last text. */
  *end(): Generator<Example> {
    if (this.#documents > 0 && !this.#closes) yield* this.more(this.#tokenizer.end);
    yield* this.#window();
  }

  *#window(): Generator<Example> {
    const { start, end } = this.#tokenizer;
    const window = [...start, ...this.#held].slice(0, this.#length);
    const filled = this.#held.length > 0 && window.length >= 2;
    this.#held = [];
    if (this.#closes) window.push(...end);
    if (filled) yield { prompt: [], candidates: [window], label: 0 };
  }
}
