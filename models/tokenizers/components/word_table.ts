/**
 * A bounded cache of words and their tokens, which creates no string per word: everything is stored in two arrays of integers.
 *
 * @module
 */

/** Maximum length of a cached word in characters. Longer words rarely repeat. */
export const longestWord = 64;
/** Maximum number of integers in the table, 4 bytes each: enough for about 200,000 words. When it is full, it is cleared. */
const mostNumbers = 1 << 21;
/** Maximum number of slots examined for a word. If many words compete for the same slots, some are not cached. */
const mostProbes = 16;
/** Length of an entry's header, before its characters and tokens: hash, length and kind, token count. */
const head = 3;

/** Tokens by word and kind. */
export class WordTable {
  /** Start of each entry plus one, by hash. The length is a power of two, and at most half of the slots are used. */
  #slots: Int32Array = new Int32Array(1 << 10);
  #entries: Int32Array = new Int32Array(1 << 13);
  #used = 0;
  #words = 0;

  /**
   * Copies the tokens of the word between two positions of a text to `ids`, from index `at` on.
   *
   * @param kind A small number. Words of different kinds are distinct.
   * @param hash Hash of the word's characters, computed with {@linkcode nextHash}.
   * @returns The index after its tokens in `ids`, or -1 if the word is not in the table.
   */
  find(
    ids: number[],
    at: number,
    text: string,
    from: number,
    to: number,
    kind: number,
    hash: number,
  ): number {
    const entries = this.#entries;
    const length = to - from;
    const mask = this.#slots.length - 1;
    probes: for (let i = 0, slot = spread(hash); i < mostProbes; i++, slot++) {
      const place = this.#slots[slot & mask] - 1;
      if (place < 0) return -1;
      if (entries[place] !== hash || entries[place + 1] !== length * 2 + kind) continue;
      let next = place + head;
      for (let letter = from; letter < to; letter++, next++) {
        if (entries[next] !== text.charCodeAt(letter)) continue probes;
      }
      const count = entries[place + 2];
      for (let i = 0; i < count; i++) ids[at + i] = entries[next + i];
      return at + count;
    }
    return -1;
  }

  /** Adds the tokens of a word that is not in the table, see {@linkcode WordTable.find}. */
  keep(
    tokens: readonly number[],
    text: string,
    from: number,
    to: number,
    kind: number,
    hash: number,
  ): void {
    const needed = head + (to - from) + tokens.length;
    if (this.#used + needed > mostNumbers) this.#forget();
    while (this.#used + needed > this.#entries.length) {
      const more = new Int32Array(this.#entries.length * 2);
      more.set(this.#entries);
      this.#entries = more;
    }
    if (this.#words * 2 >= this.#slots.length) this.#widen();
    const place = this.#used;
    if (!this.#enter(place, hash)) return;
    const entries = this.#entries;
    entries[place] = hash;
    entries[place + 1] = (to - from) * 2 + kind;
    entries[place + 2] = tokens.length;
    let next = place + head;
    for (let letter = from; letter < to; letter++) entries[next++] = text.charCodeAt(letter);
    for (const id of tokens) entries[next++] = id;
    this.#used = next;
    this.#words++;
  }

  #enter(place: number, hash: number): boolean {
    const mask = this.#slots.length - 1;
    for (let i = 0, at = spread(hash); i < mostProbes; i++, at++) {
      if (this.#slots[at & mask] !== 0) continue;
      this.#slots[at & mask] = place + 1;
      return true;
    }
    return false;
  }

  #widen(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let place = 0; place < this.#used;) {
      this.#enter(place, this.#entries[place]);
      place += head + (this.#entries[place + 1] >> 1) + this.#entries[place + 2];
    }
  }

  #forget(): void {
    this.#slots.fill(0);
    this.#used = 0;
    this.#words = 0;
  }
}

/** Hash of the empty string. */
export const noHash: number = 0x811c9dc5 | 0;

/** Extends a hash by one character. */
export function nextHash(hash: number, letter: number): number {
  return Math.imul(hash ^ letter, 0x01000193);
}

function spread(hash: number): number {
  return (hash ^ hash >>> 15) >>> 0;
}
