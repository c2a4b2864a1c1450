/**
 * Codebook quantisation: k-means over the 8-vectors of a tensor, one scale per row.
 *
 * @module
 */

import { assignOne, assignTwo, ENTRIES, VECTOR } from "./codebook_assign.ts";
import { float16ArrayToNumbers, numbersToFloat16Array, numberToFloat16 } from "./float16.ts";
import type { PackedTensor } from "./layout.ts";
import { emptyPacked, halves, planeBytes } from "./planes.ts";

/** How to fit the books. */
export interface CodebookOptions {
  /** Additive books: 1 or 2 bits per weight. */
  readonly books: 1 | 2;
  /** Equal seeds give equal bits. */
  readonly seed: number;
  /** Rounds of assigning and refitting, default 5. */
  readonly iterations?: number;
}

// Books are fitted to at most this many vectors; all of them are then assigned.
const SAMPLE = 32768;
// First-book entries tried with each vector: few while fitting, more for the codes that stay.
const FITTING_BEAM = 3;
const FINAL_BEAM = 8;
const DEFAULT_ITERATIONS = 5;

/**
 * Quantises row-major `rows x columns` values to `books` codebooks of 256 entries of 8 values.
 *
 * Rows are divided by their root mean square. The first book is k-means of the vectors (k-means++ seeding), a second one
 * k-means of what is left; then both codes of each vector are chosen together and the entries refitted, `iterations`
 * times. At last entries are rounded to f16, codes chosen for the rounded ones, and row scales fitted by least squares.
 *
 * @throws {RangeError} for a shape that codebooks cannot hold, or a value that is not finite.
 * @throws {TypeError} when there are not `rows * columns` values.
 *
 * @example Two bits per weight
 * ```ts
 * import { decode, quantizeCodebook } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const values = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i * i));
 * const packed = quantizeCodebook(values, 64, 64, { books: 2, seed: 1 });
 * const error = decode(packed).reduce((sum, y, i) => sum + (y - values[i]) ** 2, 0);
 * assertEquals(error < 0.05 * 2048, true);
 * ```
 */
export function quantizeCodebook(
  values: Float32Array,
  rows: number,
  columns: number,
  options: CodebookOptions,
): PackedTensor {
  const { books, seed, iterations = DEFAULT_ITERATIONS } = options;
  const t = emptyPacked({ kind: "codebook", books }, rows, columns);
  if (values.length !== rows * columns) {
    throw new TypeError(`Cannot quantise ${values.length} values as ${rows} x ${columns}`);
  }
  const { vectors, weights } = normalise(values, rows, columns);
  const next = randomNumbers(seed);
  const sample = sampleOf(vectors, weights, columns / VECTOR, next);
  const fitted = fitBooks(sample, books, iterations, next);

  const rounded = fitted.map(numbersToFloat16Array);
  const entries = rounded.map(float16ArrayToNumbers);
  for (const [c, book] of rounded.entries()) halves(t.codebook).set(book, c * ENTRIES * VECTOR);
  const codes = assign(vectors, entries);
  const bytes = planeBytes(t.codes);
  for (const [c, bookCodes] of codes.entries()) {
    for (let v = 0; v < bookCodes.length; v++) {
      bytes[((v >> 2) * books + c) * 4 + (v & 3)] = bookCodes[v];
    }
  }
  fitScales(values, t, codes, entries);
  return t;
}

/** Vectors with their weights in the squared error. */
interface Sample {
  vectors: Float32Array;
  weights: Float32Array;
}

function normalise(values: Float32Array, rows: number, columns: number): Sample {
  const vectors = new Float32Array(values.length);
  const weights = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let k = row * columns; k < (row + 1) * columns; k++) sum += values[k] * values[k];
    if (!Number.isFinite(sum)) {
      throw new RangeError(`Cannot quantise row ${row} to codebooks: a value is not finite`);
    }
    const size = Math.sqrt(sum / columns);
    if (size === 0) continue;
    weights[row] = size * size;
    for (let k = row * columns; k < (row + 1) * columns; k++) vectors[k] = values[k] / size;
  }
  return { vectors, weights };
}

function sampleOf(
  all: Float32Array,
  rowWeights: Float32Array,
  vectorsPerRow: number,
  next: () => number,
): Sample {
  const count = all.length / VECTOR;
  const taken = Math.min(count, SAMPLE);
  const vectors = new Float32Array(taken * VECTOR);
  const weights = new Float32Array(taken);
  for (let i = 0; i < taken; i++) {
    // One of each stretch of equal length.
    const v = Math.min(count - 1, Math.floor((i + (count > taken ? next() : 0)) * count / taken));
    vectors.set(all.subarray(v * VECTOR, (v + 1) * VECTOR), i * VECTOR);
    weights[i] = rowWeights[Math.floor(v / vectorsPerRow)];
  }
  return { vectors, weights };
}

function fitBooks(
  sample: Sample,
  books: number,
  iterations: number,
  next: () => number,
): Float32Array[] {
  const fitted: Float32Array[] = [];
  let left = sample.vectors;
  for (let c = 0; c < books; c++) {
    const book = startBook({ vectors: left, weights: sample.weights }, next);
    for (let i = 0; i < iterations; i++) {
      refit(book, left, sample.weights, assignOne(left, book));
    }
    fitted.push(book);
    left = without(left, book, assignOne(left, book));
  }
  if (books === 1) return fitted;
  let codes: Uint8Array[] | undefined;
  for (let i = 0; i < iterations; i++) {
    codes = assignTwo(sample.vectors, fitted[0], fitted[1], FITTING_BEAM, codes);
    for (const [c, book] of fitted.entries()) {
      const rest = without(sample.vectors, fitted[1 - c], codes[1 - c]);
      refit(book, rest, sample.weights, codes[c]);
    }
  }
  return fitted;
}

function assign(vectors: Float32Array, books: Float32Array[]): Uint8Array[] {
  return books.length === 1
    ? [assignOne(vectors, books[0])]
    : assignTwo(vectors, books[0], books[1], FINAL_BEAM);
}

/** k-means++: each next entry is a vector, drawn by its squared distance to the entries so far. */
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

/** Moves each entry to the weighted mean of its vectors; entries without any stay. */
function refit(
  book: Float32Array,
  vectors: Float32Array,
  weights: Float32Array,
  codes: Uint8Array,
): void {
  const sums = new Float64Array(ENTRIES * VECTOR);
  const totals = new Float64Array(ENTRIES);
  for (let v = 0; v < codes.length; v++) {
    const weight = weights[v];
    totals[codes[v]] += weight;
    for (let k = 0; k < VECTOR; k++) {
      sums[codes[v] * VECTOR + k] += weight * vectors[v * VECTOR + k];
    }
  }
  for (let i = 0; i < book.length; i++) {
    const total = totals[i >> 3];
    if (total > 0) book[i] = sums[i] / total;
  }
}

function without(vectors: Float32Array, book: Float32Array, codes: Uint8Array): Float32Array {
  const left = new Float32Array(vectors.length);
  for (let i = 0; i < vectors.length; i++) {
    left[i] = vectors[i] - book[codes[i >> 3] * VECTOR + (i & 7)];
  }
  return left;
}

/** The least-squares scale of each row, given its codes. */
function fitScales(
  values: Float32Array,
  t: PackedTensor,
  codes: Uint8Array[],
  books: Float32Array[],
): void {
  const scales = halves(t.scales);
  for (let row = 0; row < t.rows; row++) {
    let [xy, yy] = [0, 0];
    for (let i = row * t.columns; i < (row + 1) * t.columns; i++) {
      let y = 0;
      for (let c = 0; c < books.length; c++) y += books[c][codes[c][i >> 3] * VECTOR + (i & 7)];
      xy += values[i] * y;
      yy += y * y;
    }
    const scale = yy === 0 ? 0 : xy / yy;
    scales[row] = numberToFloat16(Math.max(-65504, Math.min(65504, scale)));
  }
}

/** Uniform in [0, 1): a multiplicative hash of a counter, enough to draw samples. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
