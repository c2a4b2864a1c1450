/**
 * Ids of added tokens, as assigned by the Rust library: those of the vocabulary, otherwise the next free ones in the order of the list. The ids given
 * in the file are ignored, as they are there.
 *
 * @module
 */

/** Something with a text and an id. */
export interface Placed {
  readonly id: number;
  readonly content: string;
}

/**
 * Assigns ids to added tokens. If a text occurs twice, the flags of its last occurrence apply. `moved` contains the tokens whose ids changed.
 *
 * @param ids Ids of the vocabulary by text.
 * @param size Number of tokens in the vocabulary.
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
