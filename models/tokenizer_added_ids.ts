/**
 * The ids of added tokens, as the Rust library gives them: those of the vocabulary, else the next free ones in the order of the list. What a
 * file writes beside them is not looked at there.
 *
 * @module
 */
import type { AddedToken, TokenizerModel } from "./tokenizer_check.ts";

/**
 * Added tokens with their ids; of a text that occurs twice the last flags hold.
 *
 * @param ids The vocabulary's texts
 */
export function placedTokens(
  tokens: readonly AddedToken[],
  ids: ReadonlyMap<string, number>,
  model: Pick<TokenizerModel, "vocab">,
): { readonly tokens: AddedToken[]; readonly moved: AddedToken[] } {
  const size = Array.isArray(model.vocab) ? model.vocab.length : ids.size;
  const placed = new Map<string, AddedToken>();
  const moved: AddedToken[] = [];
  let largest = -1;
  for (const token of tokens) {
    const id = ids.get(token.content) ?? placed.get(token.content)?.id ??
      (size === 0 || largest >= size ? largest + 1 : size);
    largest = Math.max(largest, id);
    const own = { ...token, id };
    if (id !== token.id) moved.push(own);
    placed.set(token.content, own);
  }
  return { tokens: [...placed.values()], moved };
}
