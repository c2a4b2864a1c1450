/**
 * Text increments for ids that arrive one at a time, as in generation. A character may be spread over several tokens,
 * so its bytes are held back until they are complete.
 *
 * @module
 */
import type { DecodeOptions, Tokenizer } from "./tokenizer.ts";

/** Turns ids into text as they come; made by {@linkcode streamDecoder}. */
export interface StreamDecoder {
  /** The text that is certain after this id; may be empty. */
  push(id: number): string;
  /** What was held back; call once, at the end. */
  end(): string;
}

/** Above this many tokens the window is cut, so the cost of a token does not grow with the text. */
const windowLength = 24;
/** Tokens that stay: decoders treat the first token of a text in their own way, so the next needs one before it. */
const contextLength = 4;
/** A character has at most four bytes: after so many tokens that complete none, what is there will never be one. */
const mostIncomplete = 4;

/**
 * A decoder for ids that arrive one at a time: the increments joined are the text of all ids, but for bytes that are no
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

  /** Forgets all but the last tokens. */
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
