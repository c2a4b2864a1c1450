/**
 * Derives merges from a vocabulary with scores: SentencePiece joins the adjacent pieces whose combination has the best score, which corresponds to
 * one merge for every way to split a piece into two pieces.
 *
 * @module
 */

/** Longer pieces would take quadratic time. SentencePiece's own limit is far lower. */
const maximumPiece = 512;
/** Four times as many as in the largest known vocabularies. */
const maximumCharacters = 1 << 23;
/** Four times as many as for the largest known vocabularies. */
const maximumMerges = 1 << 21;

/** Two primes below 2^26: products with a number below them are exact. */
const primes = [67108859, 67108837] as const;

/**
 * Every split of a piece into two pieces, best scores first; among equal scores the lower id. Time and memory grow with the number of characters.
 *
 * @param mergeable Whether the token with this id is a piece.
 * @throws {RangeError} when a score is NaN, or there are too many or too long pieces.
 */
export function mergesOfScores(
  tokens: readonly string[],
  mergeable: (id: number) => boolean,
  scores: readonly number[],
): [string, string][] {
  const order = tokens.map((_, id) => id).filter(mergeable);
  let characters = 0;
  for (const id of order) {
    const { length } = tokens[id];
    if (Number.isNaN(scores[id])) refuse(`the score of token ${id} is NaN`);
    if (length > maximumPiece) {
      refuse(`token ${id} has ${length} characters, at most ${maximumPiece} are allowed`);
    }
    characters += length;
  }
  if (characters > maximumCharacters) {
    refuse(
      `its tokens have ${characters} characters together, at most ${maximumCharacters} are allowed`,
    );
  }
  let pieces = Pieces.of(tokens, order);
  while (!pieces) pieces = Pieces.of(tokens, order); // Two pieces had the same key, so other bases are drawn.
  order.sort((a, b) => scores[a] === scores[b] ? a - b : scores[b] > scores[a] ? 1 : -1);
  const merges: [string, string][] = [];
  for (const id of order) {
    pieces.splits(tokens[id], (left, right) => {
      if (merges.length === maximumMerges) {
        refuse(`its tokens can be split in more than ${maximumMerges} ways`);
      }
      merges.push([left, right]);
    });
  }
  return merges;
}

/**
 * The order of these merges if tokens have equal scores: of such merges, the leftmost in a text is made first, which the position in a list cannot
 * express.
 *
 * @returns A number for each merge, the lowest first. Undefined if no two tokens have the same score.
 */
export function orderOfScores(
  merges: readonly (readonly [string, string])[],
  tokens: readonly string[],
  scores: readonly number[],
): number[] | undefined {
  const ids = new Map<string, number>();
  tokens.forEach((token, id) => ids.has(token) || ids.set(token, id));
  let [rank, last, ties] = [-1, -1, false];
  const order = merges.map(([left, right]) => {
    const id = ids.get(left + right)!;
    if (last < 0 || scores[id] !== scores[last]) rank++;
    else if (id !== last) ties = true;
    last = id;
    return rank;
  });
  return ties ? order : undefined;
}

function refuse(why: string): never {
  throw new RangeError(`Cannot load the tokenizer: ${why}`);
}

/** Pieces by hash keys that can also be computed for parts of a text: polynomials of the code units at random points, modulo two primes. */
class Pieces {
  readonly #ids = new Map<number, number>();
  readonly #tokens: readonly string[];
  readonly #bases = primes.map((prime) => 2 ** 16 + Math.floor(Math.random() * (prime - 2 ** 17)));
  /** Powers of the bases. */
  readonly #powers = this.#bases.map((base, i) => {
    const powers = new Float64Array(maximumPiece + 1);
    powers[0] = 1;
    for (let k = 1; k < powers.length; k++) powers[k] = powers[k - 1] * base % primes[i];
    return powers;
  });
  /** Hashes of the prefixes of the current text. */
  readonly #heads = primes.map(() => new Float64Array(maximumPiece + 1));

  private constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  /** Undefined if two different pieces have the same key. */
  static of(tokens: readonly string[], ids: readonly number[]): Pieces | undefined {
    const pieces = new Pieces(tokens);
    for (const id of ids) {
      pieces.#read(tokens[id]);
      const key = pieces.#key(0, tokens[id].length);
      const there = pieces.#ids.get(key);
      if (there === undefined) pieces.#ids.set(key, id);
      else if (tokens[there] !== tokens[id]) return undefined;
    }
    return pieces;
  }

  /** Calls `found` for every way to split a text into two pieces, shortest left part first. */
  splits(text: string, found: (left: string, right: string) => void): void {
    this.#read(text);
    for (let at = 1; at < text.length; at++) {
      if (isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1))) continue;
      const left = this.#piece(text, 0, at);
      const right = left === undefined ? undefined : this.#piece(text, at, text.length);
      if (left !== undefined && right !== undefined) found(left, right);
    }
  }

  #read(text: string): void {
    for (const [i, heads] of this.#heads.entries()) {
      const [base, prime] = [this.#bases[i], primes[i]];
      let sum = 0;
      for (let k = 0; k < text.length; k++) {
        // Plus 1, so that a code unit of 0 counts.
        heads[k + 1] = sum = (sum * base + text.charCodeAt(k) + 1) % prime;
      }
    }
  }

  /** The key of a part of the current text. */
  #key(from: number, to: number): number {
    let key = 0;
    for (let i = 0; i < primes.length; i++) {
      const [heads, prime] = [this.#heads[i], primes[i]];
      const part = (heads[to] - heads[from] * this.#powers[i][to - from] % prime + prime) % prime;
      key = key * 2 ** 26 + part;
    }
    return key;
  }

  /** The piece that equals a part of the text. Undefined if there is none. */
  #piece(text: string, from: number, to: number): string | undefined {
    const id = this.#ids.get(this.#key(from, to));
    if (id === undefined) return undefined;
    const piece = this.#tokens[id];
    return piece.length === to - from && text.startsWith(piece, from) ? piece : undefined;
  }
}

function isHigh(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}

function isLow(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00;
}
