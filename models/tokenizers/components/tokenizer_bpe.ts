/**
 * Byte pair encoding as computed by the Rust library: the characters of a word become tokens, and adjacent tokens are merged in the order of the
 * merges. Of equal pairs, the leftmost is merged first.
 *
 * @module
 */

/** Parameters of a BPE model. */
export interface BpeOptions {
  readonly vocab: ReadonlyMap<string, number>;
  /** Pairs to merge, in order of priority. */
  readonly merges: readonly (readonly [string, string])[];
  /** A number for each merge: the lowest is applied first, and of equal ones the leftmost pair. Default: the order of the list. */
  readonly order?: readonly number[] | undefined;
  /** The unknown token. If undefined, characters without a token are dropped. */
  readonly unknown?: string | undefined;
  /** Prefix of characters that do not begin a word. */
  readonly prefix?: string | undefined;
  /** Suffix of the character that ends a word. */
  readonly suffix?: string | undefined;
  /** Whether adjacent characters without a token become a single unknown token. */
  readonly fuseUnknown: boolean;
  /** Whether characters without a token become the tokens `<0x00>` to `<0xFF>` of their bytes. */
  readonly byteFallback: boolean;
  /** Whether a word that is a token is not split. */
  readonly ignoreMerges: boolean;
}

/** Ids are less than 2^22 (tokenizer_check.ts), so a pair is a safe integer. */
const pairBase = 2 ** 22;
/** Limit on positions in a word, which share a queue key with a rank. */
const placeBase = 2 ** 29;
/** Maximum number of tokens of a word whose pairs are scanned after each merge. Longer words use a queue. */
const mostScanned = 32;
const longestCached = 256;
const mostCached = 10_000;
const encoder = new TextEncoder();

/** Returns a function that gives the ids of a word. @throws {TypeError} when a character needs the unknown token, which is not in the vocabulary. */
export function bpeModel(options: BpeOptions): (word: string) => readonly number[] {
  const { vocab, unknown } = options;
  const ranks = new Map<number, number>();
  const results = new Int32Array(options.merges.length);
  const prefixLength = options.prefix?.length ?? 0;
  for (const [rank, [left, right]] of options.merges.entries()) {
    results[rank] = vocab.get(left + right.slice(prefixLength))!;
    ranks.set(vocab.get(left)! * pairBase + vocab.get(right)!, rank);
  }
  const { order } = options;
  const rankOf = (left: number, right: number): number => ranks.get(left * pairBase + right) ?? -1;
  const cache = new Map<string, readonly number[]>();
  const pairs = new Array<number>(mostScanned).fill(0);

  function unknownId(): number {
    const id = vocab.get(unknown!);
    if (id !== undefined) return id;
    throw new TypeError(
      `Cannot tokenise: a character has no token, and unk_token ${
        JSON.stringify(unknown)
      } is not in the vocabulary`,
    );
  }

  /** The ids of a word's characters. An unknown token is added only when the next character with a token follows, as in the Rust library. */
  function lettersOf(word: string): number[] {
    const ids: number[] = [];
    let waiting: number | undefined;
    let at = 0;
    for (const letter of word) {
      const before = at === 0 ? "" : options.prefix ?? "";
      at += letter.length;
      const text = before + letter + (at === word.length ? options.suffix ?? "" : "");
      const id = vocab.get(text);
      if (id !== undefined) {
        if (waiting !== undefined) ids.push(waiting);
        waiting = undefined;
        ids.push(id);
        continue;
      }
      if (options.byteFallback) {
        const bytes = byteTokens(text, vocab);
        if (bytes !== undefined) {
          ids.push(...bytes);
          continue;
        }
      }
      if (unknown === undefined) continue;
      if (waiting !== undefined && !options.fuseUnknown) ids.push(waiting);
      waiting = unknownId();
    }
    if (waiting !== undefined) ids.push(waiting);
    return ids;
  }

  function merged(word: string): readonly number[] {
    const ids = lettersOf(word);
    if (ids.length < 2 || ranks.size === 0) return ids;
    return ids.length <= mostScanned ? mergedByScan(ids) : mergedByQueue(ids);
  }

  /** Merges a short word: the best pair is searched for again after each merge. */
  function mergedByScan(ids: number[]): readonly number[] {
    let left = ids.length;
    const ahead = (at: number): number => {
      const rank = at + 1 < left ? rankOf(ids[at], ids[at + 1]) : -1;
      return rank < 0 ? Infinity : rank;
    };
    const turn = (rank: number): number => rank === Infinity ? rank : order?.[rank] ?? rank;
    for (let at = 0; at < left; at++) pairs[at] = ahead(at);
    while (true) {
      let best = 0;
      for (let at = 1; at + 1 < left; at++) if (turn(pairs[at]) < turn(pairs[best])) best = at;
      if (left < 2 || pairs[best] === Infinity) break;
      ids[best] = results[pairs[best]];
      left--;
      for (let at = best + 1; at < left; at++) {
        ids[at] = ids[at + 1];
        pairs[at] = pairs[at + 1];
      }
      pairs[best] = ahead(best);
      if (best > 0) pairs[best - 1] = ahead(best - 1);
    }
    ids.length = left;
    return ids;
  }

  function mergedByQueue(ids: number[]): readonly number[] {
    // The neighbours of each token by position. A merged token takes the left position.
    const next: number[] = [];
    const last: number[] = [];
    for (let i = 0; i < ids.length; i++) {
      next.push(i + 1);
      last.push(i - 1);
    }
    const queue = new Queue();
    const offer = (place: number): void => {
      const right = next[place];
      if (right >= ids.length) return;
      const rank = rankOf(ids[place], ids[right]);
      if (rank >= 0) queue.push((order?.[rank] ?? rank) * placeBase + place);
    };
    for (let i = 0; i + 1 < ids.length; i++) offer(i);
    for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
      const place = key % placeBase;
      const right = ids[place] < 0 ? ids.length : next[place];
      if (right >= ids.length) continue;
      // The pair may have changed since it was queued. It is used only if it still produces the same token.
      const offered = Math.floor(key / placeBase);
      const rank = rankOf(ids[place], ids[right]);
      if (rank < 0) continue;
      const result = results[rank];
      if (order === undefined ? result !== results[offered] : order[rank] !== offered) continue;
      ids[place] = result;
      ids[right] = -1;
      next[place] = next[right];
      if (next[place] < ids.length) last[next[place]] = place;
      if (last[place] >= 0) offer(last[place]);
      offer(place);
    }
    return ids.filter((id) => id >= 0);
  }

  return (word) => {
    if (word === "") return [];
    if (options.ignoreMerges) {
      const id = vocab.get(word);
      if (id !== undefined) return [id];
    }
    if (word.length >= longestCached) return merged(word);
    let ids = cache.get(word);
    if (ids === undefined) {
      if (cache.size >= mostCached) cache.clear();
      cache.set(word, ids = merged(word));
    }
    return ids;
  };
}

/** The byte tokens of a text. Undefined if the vocabulary does not have all of them. */
export function byteTokens(
  text: string,
  vocab: ReadonlyMap<string, number>,
): number[] | undefined {
  const ids: number[] = [];
  for (const byte of encoder.encode(text)) {
    const id = vocab.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

/** A priority queue, smallest number first: a binary heap. */
class Queue {
  readonly #keys: number[] = [];

  push(key: number): void {
    const keys = this.#keys;
    let at = keys.length;
    keys.push(key);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (keys[above] <= key) break;
      keys[at] = keys[above];
      at = above;
    }
    keys[at] = key;
  }

  pop(): number | undefined {
    const keys = this.#keys;
    const smallest = keys[0];
    const key = keys.pop();
    if (key === undefined || keys.length === 0) return key;
    let at = 0;
    for (let below = 1; below < keys.length; below = 2 * at + 1) {
      if (below + 1 < keys.length && keys[below + 1] < keys[below]) below++;
      if (keys[below] >= key) break;
      keys[at] = keys[below];
      at = below;
    }
    keys[at] = key;
    return smallest;
  }
}
