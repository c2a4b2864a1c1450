import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { bookTables, codeChooser } from "../../../quant/quantisers/codebook_assign.ts";
import {
  chooseCodes,
  fitEntries,
  fitError,
  fitScales,
  unfitted,
} from "../../../quant/quantisers/codebook_fit.ts";
import { outputMetric, plainMetric } from "../../../quant/quantisers/column_metric.ts";
import { runHere } from "../../../quant/quantisers/computation.ts";
import {
  decode,
  type InputStatistics,
  outputError,
  quantize,
  quantizeCodebook,
} from "../../../quant/mod.ts";
import { outlyingInputs } from "../calibration_inputs.ts";
import { normals } from "../random.ts";

const ROWS = 48;
const COLUMNS = 96;

/** `sum over rows of e (H + damping) e`, H in units of its mean diagonal, by plain loops. */
function dampedError(
  values: Float32Array,
  decoded: Float32Array,
  { moments, columns }: InputStatistics,
  damping = 0.01,
): number {
  let trace = 0;
  for (let k = 0; k < columns; k++) trace += moments[k * columns + k];
  let sum = 0;
  for (let row = 0; row < values.length / columns; row++) {
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) {
        const at = row * columns;
        const h = moments[i * columns + j] * columns / trace + (i === j ? damping : 0);
        sum += (values[at + i] - decoded[at + i]) * h * (values[at + j] - decoded[at + j]);
      }
    }
  }
  return sum;
}

Deno.test("the metric of outputs is H in units of its mean diagonal, damped", () => {
  const columns = 24;
  const statistics = outlyingInputs(2, columns, 200);
  const metric = outputMetric(statistics, columns);
  const e = Float64Array.from(normals(1, 3 * columns));
  const products = runHere(metric.times(e, 3));
  for (let row = 0; row < 3; row++) {
    const one = Float32Array.from(e.subarray(row * columns, (row + 1) * columns));
    let cost = 0;
    for (let k = 0; k < columns; k++) cost += products[row * columns + k] * one[k];
    const wanted = dampedError(one, new Float32Array(columns), statistics);
    assertAlmostEquals(cost, wanted, 1e-5 * wanted);
  }
  // A row put together from blocks and additions is the row of `times`.
  const added = new Float64Array(columns);
  for (let first = 0; first < columns; first += 8) {
    metric.add(e.subarray(first, first + 8), first, added, 0, 0, columns);
  }
  for (let k = 0; k < columns; k++) assertAlmostEquals(added[k], products[k], 1e-9);
  const block = metric.block(8, 8);
  const unit = Float64Array.from({ length: columns }, (_, k) => k === 10 ? 1 : 0);
  const row = runHere(metric.times(unit, 1));
  for (let j = 0; j < 8; j++) assertEquals(block[2 * 8 + j], row[8 + j]);
});

Deno.test("codes are the best pair of all, and never worse than choosing book by book", () => {
  const metric = outputMetric(outlyingInputs(3, 8, 100), 8);
  const h = metric.block(0, 8);
  const books = [1, 2, 3].map((seed) => normals(seed, 2048).map((x) => x / seed));
  const cost = (t: Float32Array, codes: Uint8Array): number => {
    const y = Array.from(
      { length: 8 },
      (_, k) => codes.reduce((sum, code, c) => sum + books[c][code * 8 + k], 0),
    );
    let sum = 0;
    for (let i = 0; i < 8; i++) {
      sum -= t[i] * y[i];
      for (let j = 0; j < 8; j++) sum += y[i] * h[i * 8 + j] * y[j] / 2;
    }
    return sum;
  };
  for (let seed = 10; seed < 14; seed++) {
    const target = normals(seed, 8).map((x) => 2 * x);
    const pair = new Uint8Array(2);
    codeChooser(2, 256)(books.slice(0, 2), bookTables(books.slice(0, 2), h), target, pair);
    let least = Infinity;
    for (let a = 0; a < 256; a++) {
      for (let b = 0; b < 256; b++) least = Math.min(least, cost(target, Uint8Array.of(a, b)));
    }
    assertAlmostEquals(cost(target, pair), least, 1e-4);

    const [greedy, found] = [new Uint8Array(3), new Uint8Array(3)];
    codeChooser(3, 1)(books, bookTables(books, h), target, greedy);
    codeChooser(3, 16)(books, bookTables(books, h), target, found);
    assert(cost(target, found) <= cost(target, greedy) + 1e-5);
    // The second book was chosen last.
    for (let e = 0; e < 256; e++) {
      assert(cost(target, found.with(1, e)) >= cost(target, found) - 1e-5);
    }
  }
});

Deno.test("entries are refitted to the least error of all, under the inputs' moments", () => {
  const values = normals(4, ROWS * COLUMNS);
  const metric = outputMetric(outlyingInputs(5, COLUMNS, 300), COLUMNS);
  const books = [normals(6, 2048), normals(7, 2048).map((x) => x / 2)].map((book) =>
    book.map(Math.f16round)
  );
  const fit = runHere(unfitted(values, ROWS, metric, books, new Float64Array(ROWS).fill(1)));
  runHere(chooseCodes(fit, 4, true));
  let error = fitError(fit);
  assert(error > 0);
  fitScales(fit);
  assert(fitError(fit) < error);
  assert(runHere(fitEntries(fit, 400)));
  error = fitError(fit);
  for (let seed = 0; seed < 8; seed++) {
    const moved = fit.books.map((book, c) => {
      const step = normals(100 * seed + c, 2048);
      return book.map((x, i) => x + 0.02 * step[i]);
    });
    const sums = new Float64Array(ROWS * COLUMNS);
    fit.codes.forEach((code, at) => {
      for (let k = 0; k < 8; k++) sums[(at >> 1) * 8 + k] += moved[at & 1][code * 8 + k];
    });
    const other = { ...fit, books: moved, sums, products: runHere(metric.times(sums, ROWS)) };
    assert(fitError(other) > error, `${fitError(other)} ${error}`);
  }
});

for (const books of [1, 2, 3, 4]) {
  Deno.test(`${books} books: the output error never rises from round to round, and is that of the result`, () => {
    const values = normals(8, ROWS * COLUMNS);
    for (let row = 0; row < ROWS; row++) {
      for (let k = 0; k < COLUMNS; k++) values[row * COLUMNS + k] *= 0.02 * 2 ** (row % 5);
    }
    const statistics = outlyingInputs(9, COLUMNS, 300);
    const errors: number[] = [];
    const t = quantizeCodebook(values, ROWS, COLUMNS, {
      books,
      seed: 1,
      statistics,
      rounds: 12,
      onRound: (error) => errors.push(error),
    });
    assert(errors.length > 1);
    errors.forEach((error, i) => assert(i === 0 || error <= errors[i - 1], `${errors}`));
    const norm = dampedError(values, new Float32Array(values.length), statistics);
    const found = dampedError(values, decode(t), statistics) / norm;
    assertAlmostEquals(found, errors.at(-1)!, 1e-5 * found + 1e-9);
  });
}

Deno.test("knowing the inputs helps the outputs, each book helps, and two bits beat rounding to two bits", () => {
  const values = normals(11, 128 * COLUMNS);
  const statistics = outlyingInputs(12, COLUMNS, 400);
  const error = (decoded: Float32Array) => outputError(values, decoded, 128, COLUMNS, statistics);
  const found = [1, 2, 3].map((books) => {
    const options = { books, seed: 0 };
    const plain = error(decode(quantizeCodebook(values, 128, COLUMNS, options)));
    const knowing = error(
      decode(quantizeCodebook(values, 128, COLUMNS, { ...options, statistics })),
    );
    assert(knowing < 0.85 * plain, `${books}: ${knowing} ${plain}`);
    return knowing;
  });
  assert(found[1] < 0.6 * found[0] && found[2] < 0.6 * found[1], `${found}`);
  const rounded = error(decode(quantize(values, 128, COLUMNS, "int2_g32")));
  assert(found[1] < 0.6 * rounded, `${found} ${rounded}`);
});

Deno.test("equal seeds give equal bits, and the table's way is the same", () => {
  const values = normals(13, 32 * 64);
  const statistics = outlyingInputs(14, 64, 100);
  const options = { books: 3, seed: 5, statistics };
  const once = quantizeCodebook(values, 32, 64, options);
  assertEquals(quantizeCodebook(values, 32, 64, options), once);
  assertEquals(quantize(values, 32, 64, "codebook3x8", { seed: 5, statistics }), once);
});

Deno.test("rows of zeros, inputs that never were, inputs that are all one", () => {
  const values = normals(15, 16 * 64);
  values.fill(0, 64, 128);
  const rankOne = {
    columns: 64,
    tokens: 9,
    moments: new Float32Array(64 * 64).fill(2),
    magnitudes: new Float32Array(64).fill(1),
  };
  const never = { ...rankOne, moments: new Float32Array(64 * 64) };
  for (const statistics of [rankOne, never]) {
    const decoded = decode(quantizeCodebook(values, 16, 64, { books: 2, seed: 0, statistics }));
    assert(decoded.every(Number.isFinite));
    assertEquals(decoded.subarray(64, 128).every((x) => x === 0), true);
    assert(outputError(values, decoded, 16, 64, rankOne) < 0.1);
  }
  const plain = quantizeCodebook(values, 16, 64, { books: 2, seed: 0 });
  assertEquals(quantizeCodebook(values, 16, 64, { books: 2, seed: 0, statistics: never }), plain);
  assertEquals(plainMetric(64).block(3, 2), Float64Array.of(1, 0, 0, 1));
});

Deno.test("what codebooks cannot hold is refused", () => {
  const values = normals(16, 64);
  const options = { books: 2, seed: 0 };
  const statistics = outlyingInputs(17, 64, 10);
  assertThrows(
    () => quantizeCodebook(values, 2, 32, { ...options, books: 5 }),
    RangeError,
    "5 codebooks",
  );
  assertThrows(
    () => quantizeCodebook(values, 2, 32, { ...options, statistics }),
    TypeError,
    "statistics of 64 inputs",
  );
  statistics.moments[0] = NaN;
  assertThrows(
    () => quantizeCodebook(values, 1, 64, { ...options, statistics }),
    RangeError,
    "moments are not finite",
  );
  assertThrows(() => quantizeCodebook(values, 3, 32, options), TypeError, "64 values");
});
