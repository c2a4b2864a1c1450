/**
 * Words and their tokens, found without making a text of each word: in two arrays, bounded, that hold no text in memory.
 *
 * @module
 */

/** Characters of a word that is kept, at most; longer ones hardly come again. */
export const longestWord = 64;
/** Numbers that the table takes at most, 4 bytes each: some 200,000 words. Beyond it all is forgotten. */
const mostNumbers = 1 << 21;
/** Places that are looked at for a word; where many words share a place, some are not kept. */
const mostProbes = 16;
/** Of an entry, before its letters and its tokens: hash, length, kind and count. */
const head = 3;

/** Tokens by word and kind. */
export class WordTable {
  /** Where entries begin, plus one, by hash; a power of two, less than half full. */
  #slots: Int32Array = new Int32Array(1 << 10);
  #entries: Int32Array = new Int32Array(1 << 13);
  #used = 0;
  #words = 0;

  /**
   * Puts the tokens of the word between two places of a text into `ids`, from place `at` on.
   *
   * @param kind a small number: words of another kind are others
   * @param hash of the word's letters, by {@linkcode nextHash}
   * @returns where its tokens end in `ids`; -1 where the word is not there
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

  /** Keeps the tokens of a word that is not there; see {@linkcode WordTable.find}. */
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

/** The hash of no letters. */
export const noHash: number = 0x811c9dc5 | 0;

/** The hash of letters and one more. */
export function nextHash(hash: number, letter: number): number {
  return Math.imul(hash ^ letter, 0x01000193);
}

function spread(hash: number): number {
  return (hash ^ hash >>> 15) >>> 0;
}
