/**
 * Plain text as language-modelling examples.
 *
 * @module
 */
import type { Example } from "../models/batch.ts";
import type { Tokenizer } from "../models/tokenizer.ts";
import { startTokens } from "./tokenise.ts";

/** Options of {@linkcode languageModellingExamples}. */
export interface LanguageModellingOptions {
  /** Tokens of a window, with the BOS token if there is one. At least 2. */
  readonly length: number;
  /**
   * `stream`: the documents follow each other, with the EOS token between them if there is one, and are cut every
   * `length` tokens; a last window of fewer than 2 tokens is left out. `document`: each document begins a window; what is
   * beyond `length` is left out. Default `stream`.
   */
  readonly windows?: "stream" | "document";
}

/**
 * Windows of tokens. Every window begins with the tokenizer's BOS token where it has one, so the first token of the text
 * is predicted too; without one, the first token is context only.
 *
 * @throws RangeError if the length is below 2 or the documents give no window.
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
  const { length, windows = "stream" } = options;
  assertWindow(length);
  const start = startTokens(tokenizer);
  const encoded = documents.map((text) => tokenizer.encode(text, { addSpecial: false }));
  const examples = windows === "document"
    ? encoded.map((ids) => documentWindow(start, ids, length)).filter((it) => it !== undefined)
    : streamWindows(start, encoded, length, tokenizer.eos);
  if (examples.length === 0) {
    throw new RangeError(
      `Cannot cut a text into windows: ${documents.length} documents give no window of 2 tokens`,
    );
  }
  return examples;
}

/** Refuses a window that predicts nothing. @throws RangeError if the length is below 2 */
export function assertWindow(length: number): void {
  if (!Number.isInteger(length) || length < 2) {
    throw new RangeError(
      `Cannot cut a text into windows: a window of ${length} tokens, expected at least 2`,
    );
  }
}

/** The window that a document begins; undefined if it has fewer than 2 tokens. */
export function documentWindow(
  start: readonly number[],
  ids: readonly number[],
  length: number,
): Example | undefined {
  const window = [...start, ...ids.slice(0, length)].slice(0, length);
  return window.length >= 2 ? { prompt: [], candidates: [window], label: 0 } : undefined;
}

function streamWindows(
  start: readonly number[],
  documents: readonly (readonly number[])[],
  length: number,
  separator: number | undefined,
): Example[] {
  const stream = new WindowStream(start, length);
  const between = separator === undefined ? [] : [separator];
  return [
    ...documents.flatMap((ids, i) => [
      ...(i > 0 ? stream.push(between) : []),
      ...stream.push(ids),
    ]),
    ...stream.end(),
  ];
}

/** Windows of a stream of tokens, each behind the start tokens; a last one of fewer than 2 tokens is left out. */
export class WindowStream {
  readonly #start: readonly number[];
  readonly #room: number;
  #held: number[] = [];

  /** Windows of `length` tokens, of which `start` are the first. */
  constructor(start: readonly number[], length: number) {
    this.#start = start.slice(0, length);
    this.#room = Math.max(1, length - start.length);
  }

  /** The windows that more tokens fill. */
  *push(ids: readonly number[]): Generator<Example> {
    for (const id of ids) {
      this.#held.push(id);
      if (this.#held.length === this.#room) yield* this.end();
    }
  }

  /** The last window. */
  *end(): Generator<Example> {
    const window = [...this.#start, ...this.#held];
    const filled = this.#held.length > 0 && window.length >= 2;
    this.#held = [];
    if (filled) yield { prompt: [], candidates: [window], label: 0 };
  }
}
