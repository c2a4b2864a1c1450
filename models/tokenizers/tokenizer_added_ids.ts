/**
 * The ids of added tokens, as the Rust library gives them: those of the vocabulary, else the next free ones in the order of the list. What a
 * file writes beside them is not looked at there.
 *
 * @module
 */

/** What has a text and an id. */
export interface Placed {
  readonly id: number;
  readonly content: string;
}

/**
 * Added tokens with their ids; of a text that occurs twice the last flags hold. `moved` are those whose ids were others.
 *
 * @param ids The vocabulary's texts
 * @param size How many tokens the vocabulary has
 */
export function placedTokens<T extends Placed>(
  tokens: readonly T[],
  ids: ReadonlyMap<string, number>,
  size: number,
): { readonly tokens: T[]; readonly moved: T[] } {
  const placed = new Map<string, T>();
  const moved: T[] = [];
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
