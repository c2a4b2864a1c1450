/**
 * Decodes ids that arrive one at a time, as in generation. A character can span several tokens, so its bytes are held back until they are
 * complete.
 *
 * @module
 */
import type { DecodeOptions, Tokenizer } from "./tokenizer.ts";

/** Decodes ids as they arrive; created by {@linkcode streamDecoder}. */
export interface StreamDecoder {
  /** Adds an id, and returns the text that has become certain. It may be empty. */
  push(id: number): string;
  /** Returns the text that was held back. Call it once, at the end. */
  end(): string;
}

/** Number of tokens above which the window is cut, so that the cost of a token does not grow with the text. */
const windowLength = 24;
/** Tokens that are kept: decoders treat the first token of a text differently, so a token needs one before it. */
const contextLength = 4;
/** A character has at most four bytes. If this many tokens do not complete it, it will never be complete. */
const mostIncomplete = 4;

/**
 * Creates a decoder for ids that arrive one at a time. The increments together are the text of all ids, except for bytes that are not valid
 * UTF-8.
 *
 * @example A character in two tokens
 * ```ts
 * import { streamDecoder, tokenizerFromJson } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = tokenizerFromJson({
 *   model: { type: "BPE", vocab: { a: 0, "<0xC3>": 1, "<0xA9>": 2 }, merges: [], byte_fallback: true },
 *   decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] },
 * });
 * const stream = streamDecoder(tokenizer);
 * assertEquals([0, 1, 2].map((id) => stream.push(id)), ["a", "", "é"]);
 * assertEquals(stream.end(), "");
 * ```
 */
export function streamDecoder(tokenizer: Tokenizer, options: DecodeOptions = {}): StreamDecoder {
  let window: number[] = [];
  let sent = 0;
  let incomplete = 0;

  function emit(text: string, length: number): string {
    if (length <= sent) return "";
    const increment = text.slice(sent, length);
    sent = length;
    return increment;
  }

  /** Drops all tokens except the last ones. */
  function cut(context: number[], contextText: string): void {
    window = context;
    sent = contextText.length;
  }

  return {
    push(id: number): string {
      window.push(id);
      const text = tokenizer.decode(window, options);
      let complete = text.length;
      while (complete > 0 && text[complete - 1] === "\uFFFD") complete--;
      if (complete < text.length) {
        // A decoder may show all bytes before an incomplete character as U+FFFD until it is complete.
        if (++incomplete < mostIncomplete) return emit(text, complete);
        incomplete = 0;
        const increment = emit(text, text.length);
        cut([id], tokenizer.decode([id], options));
        return increment;
      }
      incomplete = 0;
      const increment = emit(text, complete);
      if (window.length > windowLength) {
        const context = window.slice(-contextLength);
        const contextText = tokenizer.decode(context, options);
        // A cut within a character would show its rest as U+FFFD; then the next token is a better place.
        if (!contextText.includes("\uFFFD")) cut(context, contextText);
      }
      return increment;
    },
    end(): string {
      const text = tokenizer.decode(window, options);
      return emit(text, text.length);
    },
  };
}
