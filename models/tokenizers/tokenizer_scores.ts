/**
 * The merges that a vocabulary with scores stands for: SentencePiece joins the neighbours whose joined piece has the best score, which is a merge for every
 * way to split a piece into two pieces.
 *
 * @module
 */

/** A longer piece would take quadratic time; SentencePiece itself stops far below. */
const maximumPiece = 512;
/** Four times what the largest known vocabularies have. */
const maximumCharacters = 1 << 23;
/** Four times what the largest known vocabularies have. */
const maximumMerges = 1 << 21;

/** Two primes below 2^26: products with a number below them are exact. */
const primes = [67108859, 67108837] as const;

/**
 * Every split of a piece into two pieces, best scores first; among equal scores the lower id. Time and memory grow with the number of characters.
 *
 * @param mergeable Whether the token of this id is a piece
 * @throws {RangeError} For a score that is NaN, and for more or longer pieces than are taken
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
  while (!pieces) pieces = Pieces.of(tokens, order); // Two had one key: others are drawn.
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
 * The order of such merges where tokens have equal scores: of those the leftmost in a text is made first, whichever it is, which the place in a list
 * cannot say.
 *
 * @returns A number for each merge, the lowest first; undefined where no two tokens have one score
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

/** Pieces by keys that the parts of a text have too: polynomials of its letters at places that are drawn, modulo two primes. */
class Pieces {
  readonly #tokens: readonly string[];
  /** Ids by key, at the first free place from the one that the key asks for: half of the places stay free. */
  readonly #places: Int32Array;
  readonly #keys: Float64Array;
  readonly #first = new Polynomials(primes[0]);
  readonly #second = new Polynomials(primes[1]);

  private constructor(tokens: readonly string[], count: number) {
    this.#tokens = tokens;
    const size = 2 ** Math.ceil(Math.log2(2 * count + 2));
    this.#places = new Int32Array(size).fill(-1);
    this.#keys = new Float64Array(size);
  }

  /** Undefined where two different ones have the same key. */
  static of(tokens: readonly string[], ids: readonly number[]): Pieces | undefined {
    const pieces = new Pieces(tokens, ids.length);
    for (const id of ids) {
      const text = tokens[id];
      pieces.#read(text);
      const place = pieces.#place(0, text.length);
      const there = pieces.#places[place];
      if (there < 0) pieces.#places[place] = id;
      else if (tokens[there] !== text) return undefined;
    }
    return pieces;
  }

  /** Calls `found` for every way to split a text into two pieces, the shortest left one first. */
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
    this.#first.read(text);
    this.#second.read(text);
  }

  /** Where the id of a part of the text that was read is, or would be: there its key is written down. */
  #place(from: number, to: number): number {
    const first = this.#first.of(from, to);
    const key = first * 2 ** 26 + this.#second.of(from, to);
    const mask = this.#places.length - 1;
    let place = first & mask;
    while (this.#places[place] >= 0 && this.#keys[place] !== key) place = (place + 1) & mask;
    this.#keys[place] = key;
    return place;
  }

  /** The piece that a part of the text is. */
  #piece(text: string, from: number, to: number): string | undefined {
    const id = this.#places[this.#place(from, to)];
    if (id < 0) return undefined;
    const piece = this.#tokens[id];
    return piece.length === to - from && text.startsWith(piece, from) ? piece : undefined;
  }
}

/** Polynomials of the letters of a text, and of its parts, at a place that is drawn, modulo a prime. */
class Polynomials {
  readonly #prime: number;
  readonly #inverse: number;
  readonly #base: number;
  /** Powers of the base. */
  readonly #powers = new Float64Array(maximumPiece + 1);
  /** Of the beginnings of the text at hand. */
  readonly #heads = new Float64Array(maximumPiece + 1);

  constructor(prime: number) {
    this.#prime = prime;
    this.#inverse = 1 / prime;
    this.#base = 2 ** 16 + Math.floor(Math.random() * (prime - 2 ** 17));
    this.#powers[0] = 1;
    for (let k = 1; k <= maximumPiece; k++) {
      this.#powers[k] = this.#rest(this.#powers[k - 1] * this.#base);
    }
  }

  /** What dividing by the prime leaves of a whole number below 2^53; `%` takes several times as long. */
  #rest(value: number): number {
    const rest = value - Math.floor(value * this.#inverse) * this.#prime;
    return rest < 0 ? rest + this.#prime : rest >= this.#prime ? rest - this.#prime : rest;
  }

  read(text: string): void {
    const heads = this.#heads;
    let sum = 0;
    for (let k = 0; k < text.length; k++) {
      // Plus 1: so that a letter of code 0 counts.
      heads[k + 1] = sum = this.#rest(sum * this.#base + text.charCodeAt(k) + 1);
    }
  }

  /** Of a part of the text that was read. */
  of(from: number, to: number): number {
    const part = this.#heads[to] - this.#rest(this.#heads[from] * this.#powers[to - from]);
    return part < 0 ? part + this.#prime : part;
  }
}

function isHigh(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}

function isLow(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00;
}
