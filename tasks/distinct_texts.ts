/**
 * Answers that can be told apart: two with the same words would share one score for ever.
 *
 * @module
 */

/**
 * Refuses texts of which two are the same but for white space around them.
 *
 * @param texts names and texts.
 * @param kind what they are, "labels" or "candidates".
 * @param what is attempted, in words that follow "Cannot".
 * @throws RangeError that names both.
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

/** Two of several lists of which one is the other's beginning, or the same. */
export interface Overlap {
  /** Their indices; the shorter one's first. */
  readonly pair: readonly [number, number];
  /** Whether they are the same. */
  readonly same: boolean;
}

/** The first two lists that are the same, else the first that is another's beginning. */
export function overlapOf(lists: readonly (readonly number[])[]): Overlap | undefined {
  // Two answers are most tasks, and an example of a task is looked at each.
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
