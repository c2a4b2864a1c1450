/**
 * Plain text as language-modelling examples.
 *
 * @module
 */
import { assertOptions } from "../optim/options.ts";
import type { Example } from "../models/batch.ts";
import type { Tokenizer } from "../models/tokenizers/tokenizer.ts";
import { bringsStart, withoutStart, withStart } from "../models/tokenizers/special_tokens.ts";

/** Options of {@linkcode languageModellingExamples}. */
export interface LanguageModellingOptions {
  /** Tokens of a window, with those that the tokenizer puts before every text. At least 2. */
  readonly length: number;
  /**
   * `stream`: the documents follow each other and are cut every `length` tokens; between them is what the tokenizer puts
   * behind every text, else the EOS token if there is one; a last window of fewer than 2 tokens is left out. `document`:
   * each document begins a window and ends as the tokenizer ends every text; what is beyond `length` is left out. Default
   * `stream`.
   */
  readonly windows?: "stream" | "document";
}

/**
 * Windows of tokens. Every window begins with what the tokenizer puts before every text (once, where a document brings it
 * itself), so with a BOS token the first token of the text is predicted too; without, the first token is context only.
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
  assertOptions("cut a text into windows", options, { length: "any", windows: "any" });
  const { length, windows = "stream" } = options;
  assertWindow(length);
  const encoded = documents.map((text) =>
    tokenizer.encode(withoutStart(tokenizer, text), { addSpecial: false })
  );
  const examples = windows === "document"
    ? encoded.map((ids) => documentWindow(tokenizer, ids, length)).filter((it) => it !== undefined)
    : streamWindows(tokenizer, encoded, length);
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

/** The tokens of a document with those that the tokenizer puts around every text, what is before it once. */
export function documentTokens(
  tokenizer: Pick<Tokenizer, "start" | "end">,
  ids: readonly number[],
): number[] {
  return [...withStart(tokenizer, ids), ...tokenizer.end];
}

/** The window that a document begins; undefined if it has fewer than 2 tokens. */
export function documentWindow(
  tokenizer: Pick<Tokenizer, "start" | "end">,
  ids: readonly number[],
  length: number,
): Example | undefined {
  const window = documentTokens(tokenizer, ids).slice(0, length);
  return window.length >= 2 ? { prompt: [], candidates: [window], label: 0 } : undefined;
}

function streamWindows(
  tokenizer: Tokenizer,
  documents: readonly (readonly number[])[],
  length: number,
): Example[] {
  const stream = new WindowStream(tokenizer, length);
  return [...documents.flatMap((ids) => [...stream.document(ids)]), ...stream.end()];
}

/**
 * Windows of documents that follow each other, each window behind the tokens that the tokenizer puts before every text; a last one of
 * fewer than 2 tokens is left out.
 */
export class WindowStream {
  readonly #tokenizer: Pick<Tokenizer, "start" | "end" | "eos">;
  readonly #length: number;
  readonly #room: number;
  #documents = 0;
  #held: number[] = [];

  /** Windows of `length` tokens, those before every text among them. */
  constructor(tokenizer: Pick<Tokenizer, "start" | "end" | "eos">, length: number) {
    this.#tokenizer = tokenizer;
    this.#length = length;
    this.#room = Math.max(1, length - tokenizer.start.length);
  }

  /** The windows that another document fills, given its tokens or the first of them. */
  *document(ids: readonly number[]): Generator<Example> {
    const { start, end, eos } = this.#tokenizer;
    if (this.#documents++ > 0) {
      yield* this.more(end.length > 0 ? end : eos === undefined ? [] : [eos]);
    }
    yield* this.more(bringsStart(this.#tokenizer, ids) ? ids.slice(start.length) : ids);
  }

  /** The windows that more tokens of the same document fill. */
  *more(ids: readonly number[]): Generator<Example> {
    for (const id of ids) {
      this.#held.push(id);
      if (this.#held.length === this.#room) yield* this.#window();
    }
  }

  /** The last windows, with what stands behind the last text. */
  *end(): Generator<Example> {
    if (this.#documents > 0) yield* this.more(this.#tokenizer.end);
    yield* this.#window();
  }

  *#window(): Generator<Example> {
    const window = [...this.#tokenizer.start, ...this.#held].slice(0, this.#length);
    const filled = this.#held.length > 0 && window.length >= 2;
    this.#held = [];
    if (filled) yield { prompt: [], candidates: [window], label: 0 };
  }
}
