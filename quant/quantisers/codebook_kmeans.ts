/**
 * Initial codebooks: k-means of vectors of 8 values, then of the residuals of the first book, and so on.
 *
 * @module
 */

import { bookTables, ENTRIES, entryCosts, VECTOR } from "./codebook_assign.ts";
import { plainMetric } from "./column_metric.ts";
import type { Computation } from "./computation.ts";

// Maximum number of vectors that books are fitted to.
const SAMPLE = 8192;
const ROUNDS = 5;

/** Vectors with their weights in the squared error. */
interface Sample {
  vectors: Float32Array;
  weights: Float32Array;
}

/**
 * Fits `count` books of 256 entries (`[256][8]` each) to the vectors of `rows x columns` values in row-major order.
 *
 * @param rowWeights Weight of each row's squared error.
 */
export function* residualKMeans(
  values: Float64Array,
  rowWeights: Float64Array,
  count: number,
  seed: number,
): Computation<Float32Array[]> {
  const next = randomNumbers(seed);
  const sample = sampleOf(values, rowWeights, next);
  const books: Float32Array[] = [];
  for (let c = 0; c < count; c++) {
    const book = startBook(sample, next);
    yield;
    for (let i = 0; i < ROUNDS; i++) {
      refit(book, sample, assign(sample.vectors, book));
      yield;
    }
    const codes = assign(sample.vectors, book);
    for (let i = 0; i < sample.vectors.length; i++) {
      sample.vectors[i] -= book[codes[i >> 3] * VECTOR + (i & 7)];
    }
    books.push(book);
    yield;
  }
  return books;
}

function sampleOf(all: Float64Array, rowWeights: Float64Array, next: () => number): Sample {
  const count = all.length / VECTOR;
  const vectorsPerRow = count / rowWeights.length;
  const taken = Math.min(count, SAMPLE);
  const vectors = new Float32Array(taken * VECTOR);
  const weights = new Float32Array(taken);
  const most = rowWeights.reduce((a, b) => Math.max(a, b), 0) || 1;
  for (let i = 0; i < taken; i++) {
    // One vector from each of the stretches of equal length.
    const v = Math.min(count - 1, Math.floor((i + (count > taken ? next() : 0)) * count / taken));
    vectors.set(all.subarray(v * VECTOR, (v + 1) * VECTOR), i * VECTOR);
    weights[i] = rowWeights[Math.floor(v / vectorsPerRow)] / most;
  }
  return { vectors, weights };
}

/** k-means++: each next entry is a vector drawn in proportion to its weighted squared distance from the nearest entry so far. */
function startBook({ vectors, weights }: Sample, next: () => number): Float32Array {
  const book = new Float32Array(ENTRIES * VECTOR);
  const count = vectors.length / VECTOR;
  const distances = new Float64Array(count).fill(Infinity);
  let chosen = Math.floor(next() * count);
  for (let e = 0; e < ENTRIES && count > 0; e++) {
    const from = chosen * VECTOR;
    book.set(vectors.subarray(from, from + VECTOR), e * VECTOR);
    let total = 0;
    for (let v = 0; v < count; v++) {
      let distance = 0;
      for (let k = 0; k < VECTOR; k++) {
        const difference = vectors[v * VECTOR + k] - vectors[from + k];
        distance += difference * difference;
      }
      if (distance < distances[v]) distances[v] = distance;
      total += weights[v] * distances[v];
    }
    let point = next() * total;
    chosen = 0;
    while (chosen < count - 1 && (point -= weights[chosen] * distances[chosen]) > 0) chosen++;
  }
  return book;
}

function assign(vectors: Float32Array, book: Float32Array): Uint8Array {
  const { own } = bookTables([book], plainMetric(VECTOR).block(0, VECTOR));
  const costs = new Float32Array(ENTRIES);
  const codes = new Uint8Array(vectors.length / VECTOR);
  for (let v = 0; v < codes.length; v++) {
    codes[v] = entryCosts(vectors, v * VECTOR, book, own[0], costs);
  }
  return codes;
}

/** Moves each entry to the weighted mean of its vectors. Entries without vectors stay. */
function refit(book: Float32Array, { vectors, weights }: Sample, codes: Uint8Array): void {
  const sums = new Float64Array(ENTRIES * VECTOR);
  const totals = new Float64Array(ENTRIES);
  for (let v = 0; v < codes.length; v++) {
    totals[codes[v]] += weights[v];
    for (let k = 0; k < VECTOR; k++) {
      sums[codes[v] * VECTOR + k] += weights[v] * vectors[v * VECTOR + k];
    }
  }
  for (let i = 0; i < book.length; i++) {
    const total = totals[i >> 3];
    if (total > 0) book[i] = sums[i] / total;
  }
}

/** Uniform numbers in [0, 1): a multiplicative hash of a counter, good enough for sampling. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
