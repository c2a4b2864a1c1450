/**
 * Checks that answers differ, because two equal ones would always have the same score.
 *
 * @module
 */

/**
 * Rejects texts of which two are equal except for surrounding white space.
 *
 * @param texts Pairs of name and text.
 * @param kind What the texts are, for the message.
 * @param what The attempted action, as text after "Cannot".
 * @throws {RangeError} naming both.
 */
export function assertDistinct(
  texts: readonly (readonly [string, string])[],
  kind: "labels" | "candidates",
  what: string,
): void {
  const seen = new Map<string, string>();
  for (const [name, text] of texts) {
    const words = text.trim();
    const other = seen.get(words);
    if (other !== undefined) throw sameWords([other, name], text, kind, what);
    seen.set(words, name);
  }
}

function sameWords(
  [one, other]: readonly [string, string],
  text: string,
  kind: "labels" | "candidates",
  what: string,
): RangeError {
  const name = (it: string): string => kind === "labels" ? JSON.stringify(it) : it;
  return new RangeError(
    `Cannot ${what}: ${kind} ${name(one)} and ${name(other)} are both ${
      JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text)
    }, so they cannot be told apart`,
  );
}

/** Two of several lists that are equal, or of which one is a prefix of the other. */
export interface Overlap {
  /** Their indices, that of the shorter one first. */
  readonly pair: readonly [number, number];
  /** Whether they are equal. */
  readonly same: boolean;
}

/** The first two equal lists, otherwise the first list that is a prefix of another. Undefined if there is none. */
export function overlapOf(lists: readonly (readonly number[])[]): Overlap | undefined {
  // A shortcut, because most tasks have two answers and every example is checked.
  if (lists.length === 2 && lists[0][0] !== lists[1][0]) {
    if (lists[0].length > 0 && lists[1].length > 0) return undefined;
  }
  const whole = new Map<string, number>();
  for (const [i, list] of lists.entries()) {
    const key = list.join();
    const other = whole.get(key);
    if (other !== undefined) return { pair: [other, i], same: true };
    whole.set(key, i);
  }
  for (const [i, list] of lists.entries()) {
    let key = "";
    for (const id of list.slice(0, -1)) {
      key += key === "" ? id : `,${id}`;
      const other = whole.get(key);
      if (other !== undefined) return { pair: [other, i], same: false };
    }
  }
  return undefined;
}
