/**
 * Finds the best entries of additive codebooks for a vector of 8 values.
 *
 * With a symmetric H of the eight columns, the cost of entries that add up to y is `y H y / 2 - t . y`, half the squared error up to a constant. For
 * a vector x without neighbours, `t = H x`.
 *
 * @module
 */

/** Number of entries per book. */
export const ENTRIES = 256;
/** Number of columns that share a code. */
export const VECTOR = 8;

/** Costs of the entries of books, alone and in pairs. */
export interface BookTables {
  /** For each book, `c H c / 2` of each entry c. */
  readonly own: readonly Float32Array[];
  /** For each pair of books `[first][second]`, first < second: `a H b` of entry a of the first and entry b of the second, at `a * 256 + b`. */
  readonly pairs: readonly (readonly Float32Array[])[];
}

/** The tables of books (`[256][8]` each) for H, row-major 8 x 8. */
export function bookTables(books: readonly Float32Array[], h: Float64Array): BookTables {
  const turned = books.map((book) => timesBlock(book, h));
  return {
    own: books.map((book, c) =>
      Float32Array.from({ length: ENTRIES }, (_, e) => dot(book, turned[c], e, e) / 2)
    ),
    pairs: books.map((_, a) =>
      books.map((second, b) => b > a ? products(turned[a], second) : new Float32Array(0))
    ),
  };
}

function timesBlock(book: Float32Array, h: Float64Array): Float32Array {
  const turned = new Float32Array(book.length);
  for (let e = 0; e < ENTRIES; e++) {
    for (let j = 0; j < VECTOR; j++) {
      let sum = 0;
      for (let i = 0; i < VECTOR; i++) sum += book[e * VECTOR + i] * h[i * VECTOR + j];
      turned[e * VECTOR + j] = sum;
    }
  }
  return turned;
}

function dot(first: Float32Array, second: Float32Array, a: number, b: number): number {
  let sum = 0;
  for (let k = 0; k < VECTOR; k++) sum += first[a * VECTOR + k] * second[b * VECTOR + k];
  return sum;
}

function products(first: Float32Array, second: Float32Array): Float32Array {
  const table = new Float32Array(ENTRIES * ENTRIES);
  const none = new Float32Array(ENTRIES);
  const row = new Float32Array(ENTRIES);
  for (let a = 0; a < ENTRIES; a++) {
    entryCosts(first, a * VECTOR, second, none, row);
    for (let b = 0; b < ENTRIES; b++) table[a * ENTRIES + b] = -row[b];
  }
  return table;
}

/** Writes `own - entry . t` of every entry into `costs`, where t starts at `at` in `targets`. Returns the entry with the least cost. */
export function entryCosts(
  targets: Float32Array,
  at: number,
  book: Float32Array,
  own: Float32Array,
  costs: Float32Array,
): number {
  const x0 = targets[at], x1 = targets[at + 1], x2 = targets[at + 2], x3 = targets[at + 3];
  const x4 = targets[at + 4], x5 = targets[at + 5], x6 = targets[at + 6], x7 = targets[at + 7];
  let best = 0;
  let least = Infinity;
  for (let e = 0, i = 0; e < ENTRIES; e++, i += VECTOR) {
    const cost = own[e] - (x0 * book[i] + x1 * book[i + 1] + x2 * book[i + 2] + x3 * book[i + 3] +
      x4 * book[i + 4] + x5 * book[i + 5] + x6 * book[i + 6] + x7 * book[i + 7]);
    costs[e] = cost;
    if (cost < least) {
      least = cost;
      best = e;
    }
  }
  return best;
}

/** Writes the best codes for `target`, one per book. */
export type CodeChooser = (
  books: readonly Float32Array[],
  tables: BookTables,
  target: Float32Array,
  codes: Uint8Array,
) => void;

/**
 * A beam search over the books. For the first `count - 1` books, the `beam` cheapest sums are kept, and each is continued with every entry of the
 * next book. Finally, the code of each book is chosen again given the others.
 */
export function codeChooser(count: number, beam: number): CodeChooser {
  const costs = Array.from({ length: count }, () => new Float32Array(ENTRIES));
  const row = new Float32Array(ENTRIES);
  let kept = new Beam(count, beam);
  let next = new Beam(count, beam);

  return (books, { own, pairs }, target, codes) => {
    for (let c = 0; c < count; c++) codes[c] = entryCosts(target, 0, books[c], own[c], costs[c]);
    if (count === 1) return;
    next.clear();
    next.offer(costs[0], 0, 0, undefined);
    const last = count - 1;
    for (let c = 1; c < last; c++) {
      [kept, next] = [next, kept];
      next.clear();
      for (let p = 0; p < kept.length; p++) {
        row.set(costs[c]);
        for (let d = 0; d < c; d++) addRow(row, pairs[d][c], kept.codes[p][d]);
        next.offer(row, kept.costs[p], c, kept.codes[p]);
      }
    }
    let least = Infinity;
    let best = 0;
    let bestLast = 0;
    for (let p = 0; p < next.length; p++) {
      let sums = costs[last];
      if (last > 1) {
        row.set(sums);
        for (let d = 0; d < last - 1; d++) addRow(row, pairs[d][last], next.codes[p][d]);
        sums = row;
      }
      const pair = pairs[last - 1][last];
      const start = next.costs[p];
      for (let e = 0, i = next.codes[p][last - 1] * ENTRIES; e < ENTRIES; e++, i++) {
        const cost = start + sums[e] + pair[i];
        if (cost < least) {
          least = cost;
          best = p;
          bestLast = e;
        }
      }
    }
    codes.set(next.codes[best]);
    codes[last] = bestLast;
    // The last book's code was already chosen given all others.
    for (let c = 0; c < last; c++) {
      row.set(costs[c]);
      for (let d = 0; d < c; d++) addRow(row, pairs[d][c], codes[d]);
      for (let d = c + 1; d < count; d++) {
        const pair = pairs[c][d];
        for (let e = 0, i = codes[d]; e < ENTRIES; e++, i += ENTRIES) row[e] += pair[i];
      }
      codes[c] = leastOf(row);
    }
  };
}

function addRow(costs: Float32Array, pair: Float32Array, entry: number): void {
  for (let e = 0, i = entry * ENTRIES; e < ENTRIES; e++, i++) costs[e] += pair[i];
}

function leastOf(costs: Float32Array): number {
  let best = 0;
  let least = costs[0];
  for (let e = 1; e < ENTRIES; e++) {
    const cost = costs[e];
    if (cost < least) {
      least = cost;
      best = e;
    }
  }
  return best;
}

/** The cheapest sums of entries of the first books, cheapest first. */
class Beam {
  readonly costs: Float64Array;
  readonly codes: Uint8Array[];
  length = 0;

  constructor(books: number, beam: number) {
    this.costs = new Float64Array(beam);
    this.codes = Array.from({ length: beam }, () => new Uint8Array(books));
  }

  clear(): void {
    this.length = 0;
  }

  /** Adds the sums of `before` and each entry e of book `book`, with cost `start + costs[e]`, if they are among the cheapest. */
  offer(costs: Float32Array, start: number, book: number, before: Uint8Array | undefined): void {
    const most = this.codes.length;
    for (let e = 0; e < ENTRIES; e++) {
      const cost = start + costs[e];
      if (this.length === most && cost >= this.costs[most - 1]) continue;
      if (this.length < most) this.length++;
      let place = this.length - 1;
      const reused = this.codes[place];
      while (place > 0 && this.costs[place - 1] > cost) {
        this.costs[place] = this.costs[place - 1];
        this.codes[place] = this.codes[place - 1];
        place--;
      }
      this.costs[place] = cost;
      this.codes[place] = reused;
      if (before) reused.set(before);
      reused[book] = e;
    }
  }
}
