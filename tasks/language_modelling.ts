/**
 * Plain text as language-modelling examples.
 *
 * @module
 */
import type { Example } from "../models/batch.ts";
import type { Tokenizer } from "../models/tokenizer.ts";
import { withoutStart } from "../models/special_tokens.ts";

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
  const { length, windows = "stream" } = options;
  if (!Number.isInteger(length) || length < 2) {
    throw new RangeError(
      `Cannot cut a text into windows: a window of ${length} tokens, expected at least 2`,
    );
  }
  const { start, end, eos } = tokenizer;
  const encoded = documents.map((text) =>
    tokenizer.encode(withoutStart(tokenizer, text), { addSpecial: false })
  );
  const between = end.length > 0 ? end : eos === undefined ? [] : [eos];
  const bodies = windows === "document"
    ? encoded.map((ids) => [...ids, ...end])
    : cut([...join(encoded, between), ...end], Math.max(1, length - start.length));
  const examples = bodies
    .map((body) => [...start, ...body].slice(0, length))
    .filter((ids) => ids.length >= 2)
    .map((ids): Example => ({ prompt: [], candidates: [ids], label: 0 }));
  if (examples.length === 0) {
    throw new RangeError(
      `Cannot cut a text into windows: ${documents.length} documents give no window of 2 tokens`,
    );
  }
  return examples;
}

function join(documents: readonly number[][], between: readonly number[]): number[] {
  return documents.flatMap((ids, index) => index > 0 ? [...between, ...ids] : ids);
}

function cut(ids: readonly number[], length: number): number[][] {
  const pieces: number[][] = [];
  for (let at = 0; at < ids.length; at += length) pieces.push(ids.slice(at, at + length));
  return pieces;
}
