/**
 * Which entries of one or two additive codebooks are nearest to each 8-vector.
 *
 * @module
 */

/** Entries of a book. */
export const ENTRIES = 256;
/** Columns that share a code. */
export const VECTOR = 8;

/** `|entry|^2 / 2` of each entry of a book (`[256][8]`, flat). */
export function halfNorms(book: Float32Array): Float32Array {
  const norms = new Float32Array(ENTRIES);
  for (let e = 0; e < ENTRIES; e++) {
    for (let k = 0; k < VECTOR; k++) norms[e] += book[e * VECTOR + k] ** 2 / 2;
  }
  return norms;
}

/**
 * Writes `|entry|^2 / 2 - entry . x` of every entry for the vector at `at` into `costs`: half its squared distance up to
 * a constant of the vector. Returns the entry of least cost.
 */
export function entryCosts(
  vectors: Float32Array,
  at: number,
  book: Float32Array,
  norms: Float32Array,
  costs: Float32Array,
): number {
  const x0 = vectors[at], x1 = vectors[at + 1], x2 = vectors[at + 2], x3 = vectors[at + 3];
  const x4 = vectors[at + 4], x5 = vectors[at + 5], x6 = vectors[at + 6], x7 = vectors[at + 7];
  let best = 0;
  let least = Infinity;
  for (let e = 0, i = 0; e < ENTRIES; e++, i += VECTOR) {
    const cost = norms[e] - (x0 * book[i] + x1 * book[i + 1] + x2 * book[i + 2] + x3 * book[i + 3] +
      x4 * book[i + 4] + x5 * book[i + 5] + x6 * book[i + 6] + x7 * book[i + 7]);
    costs[e] = cost;
    if (cost < least) {
      least = cost;
      best = e;
    }
  }
  return best;
}

/** Codes of every vector in one book. */
export function assignOne(vectors: Float32Array, book: Float32Array): Uint8Array {
  const norms = halfNorms(book);
  const costs = new Float32Array(ENTRIES);
  const codes = new Uint8Array(vectors.length / VECTOR);
  for (let v = 0; v < codes.length; v++) {
    codes[v] = entryCosts(vectors, v * VECTOR, book, norms, costs);
  }
  return codes;
}

/**
 * Codes of every vector in two books whose entries add up. Of the first book the `beam` entries nearest to the vector
 * are tried, and the entry that was given before, each with its best partner; then the first is chosen anew.
 */
export function assignTwo(
  vectors: Float32Array,
  first: Float32Array,
  second: Float32Array,
  beam: number,
  before?: readonly Uint8Array[],
): [Uint8Array, Uint8Array] {
  const cross = products(first, second);
  const [firstNorms, secondNorms] = [halfNorms(first), halfNorms(second)];
  const [firstCosts, secondCosts] = [new Float32Array(ENTRIES), new Float32Array(ENTRIES)];
  const count = vectors.length / VECTOR;
  const [firstCodes, secondCodes] = [new Uint8Array(count), new Uint8Array(count)];
  const tried = new Uint8Array(beam + (before === undefined ? 0 : 1));
  for (let v = 0; v < count; v++) {
    entryCosts(vectors, v * VECTOR, first, firstNorms, firstCosts);
    entryCosts(vectors, v * VECTOR, second, secondNorms, secondCosts);
    nearest(firstCosts, tried, beam);
    if (before !== undefined) tried[beam] = before[0][v];
    let least = Infinity;
    let bestSecond = 0;
    for (let b = 0; b < tried.length; b++) {
      const row = tried[b] * ENTRIES;
      const start = firstCosts[tried[b]];
      for (let e = 0; e < ENTRIES; e++) {
        const cost = start + secondCosts[e] + cross[row + e];
        if (cost < least) {
          least = cost;
          bestSecond = e;
        }
      }
    }
    let bestFirst = 0;
    least = Infinity;
    for (let e = 0; e < ENTRIES; e++) {
      const cost = firstCosts[e] + cross[e * ENTRIES + bestSecond];
      if (cost < least) {
        least = cost;
        bestFirst = e;
      }
    }
    firstCodes[v] = bestFirst;
    secondCodes[v] = bestSecond;
  }
  return [firstCodes, secondCodes];
}

function products(first: Float32Array, second: Float32Array): Float32Array {
  const cross = new Float32Array(ENTRIES * ENTRIES);
  for (let a = 0; a < ENTRIES; a++) {
    for (let b = 0; b < ENTRIES; b++) {
      let sum = 0;
      for (let k = 0; k < VECTOR; k++) sum += first[a * VECTOR + k] * second[b * VECTOR + k];
      cross[a * ENTRIES + b] = sum;
    }
  }
  return cross;
}

/** The `count` entries of least cost, into the front of `found`, least first. */
function nearest(costs: Float32Array, found: Uint8Array, count: number): void {
  let kept = 0;
  for (let e = 0; e < ENTRIES; e++) {
    if (kept === count && costs[e] >= costs[found[count - 1]]) continue;
    if (kept < count) kept++;
    let place = kept - 1;
    while (place > 0 && costs[found[place - 1]] > costs[e]) {
      found[place] = found[place - 1];
      place--;
    }
    found[place] = e;
  }
}
