import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  directionSeed,
  fillNoise,
  hostOps,
  type Law,
  lozo,
  noiseAt,
  optimiser,
  roundCoefficient,
  type Seed,
  Session,
  spsa,
  threefry2x32,
} from "../../../optim/mod.ts";
import { random } from "../random.ts";
import { Sample } from "../sample.ts";
import { completeLowRank } from "../../../optim/directions/low_rank.ts";

type Plan = { readonly rank: number; readonly keep: number };

const seedOf = (plan: Plan, step: number, direction = 0, master = 3) =>
  directionSeed({ hold: 1, memory: 1, lowRank: plan }, master, step, direction);

/** A direction over a matrix of `spans` rows and `rows` columns. */
function matrix(
  seed: Seed,
  spans: number,
  rows: number,
  law: Law = { dense: "normal", structure: "lowRank" },
) {
  const z = fillNoise(law, seed, 77, 0, new Float32Array(spans * rows), { width: rows });
  return Array.from({ length: spans }, (_, i) => [...z.slice(i * rows, (i + 1) * rows)]);
}

/** The rank of a matrix of small halves, by elimination. */
function rankOf(values: readonly (readonly number[])[]): number {
  const m = values.map((row) => [...row]);
  let rank = 0;
  for (let column = 0; column < m[0].length && rank < m.length; column++) {
    const pivot = m.findIndex((row, i) => i >= rank && Math.abs(row[column]) > 1e-9);
    if (pivot < 0) continue;
    [m[rank], m[pivot]] = [m[pivot], m[rank]];
    for (let i = rank + 1; i < m.length; i++) {
      const factor = m[i][column] / m[rank][column];
      for (let j = column; j < m[0].length; j++) m[i][j] -= factor * m[rank][j];
    }
    rank++;
  }
  return rank;
}

Deno.test("z is the product of its factors, drawn as the contract says", () => {
  const seed = seedOf({ rank: 3, keep: 2 }, 9);
  assertEquals(seed[1] >>> 29, 2);
  const z = matrix(seed, 5, 11);
  for (let span = 0; span < 5; span++) {
    const [signs] = threefry2x32([seed[1], 0x6c6f7772], [span, 77]);
    for (let row = 0; row < 11; row++) {
      let expected = 0;
      for (let r = 0; r < 3; r++) {
        const words = threefry2x32(seed, [(row >> 2) + r * 2 ** 28, 77]);
        const lane = words[(row >> 1) & 1] >>> (16 * (row & 1)) & 0xffff;
        const u = (lane.toString(2).replaceAll("0", "").length - 8) / 2;
        expected += (signs >>> r & 1 ? 1 : -1) * u;
      }
      assertEquals(z[span][row], expected);
      assertEquals(
        noiseAt({ dense: "normal", structure: "lowRank" }, seed, 77, span * 11 + row, {
          width: 11,
        }),
        expected,
      );
    }
  }
});

Deno.test("stretches are those of the whole, wherever they begin", () => {
  const seed = seedOf({ rank: 5, keep: 1 }, 4);
  const whole = fillNoise(
    { dense: "rademacher", structure: "lowRank" },
    seed,
    1,
    0,
    new Float32Array(60),
    { width: 20 },
  );
  for (let start = 0; start < 60; start += 7) {
    const part = fillNoise(
      { dense: "rademacher", structure: "lowRank" },
      seed,
      1,
      start,
      new Float32Array(60 - start),
      {
        width: 20,
      },
    );
    assertEquals(part, whole.slice(start));
  }
});

Deno.test("directions have the rank asked for; those that share v stay in its columns", () => {
  for (const rank of [1, 2, 4, 8]) {
    const plan = { rank, keep: 3 };
    const at = (step: number) => matrix(seedOf(plan, step), 24, 40);
    assertEquals(rankOf(at(0)), rank);
    // Spans are the rows here: sums over r of v[span][r] u[row][r] with one v have one column space.
    const beside = (a: number[][], b: number[][]) => a.map((row, i) => [...row, ...b[i]]);
    assertEquals(rankOf(beside(beside(at(0), at(1)), at(2))), rank);
    assertEquals(rankOf(beside(at(2), at(3))), 2 * rank);
    const other = matrix(seedOf(plan, 0, 1), 24, 40);
    assertEquals(rankOf(beside(at(0), other)), 2 * rank, "directions share their kept factor");
  }
});

Deno.test("mean 0, variance the rank, and elements of a row or column uncorrelated over draws of v", () => {
  for (
    const law of [{ dense: "normal", structure: "lowRank" }, {
      dense: "rademacher",
      structure: "lowRank",
    }] as const
  ) {
    for (const rank of [1, 4]) {
      const [mean, square, alongRow, alongSpan] = [0, 0, 0, 0].map(() => new Sample());
      for (let step = 0; step < 6000; step++) {
        const seed = seedOf({ rank, keep: 1 }, step);
        const z = fillNoise(law, seed, 5, 0, new Float32Array(24), { width: 8 });
        mean.add(z[3]);
        square.add(z[3] ** 2);
        alongRow.add(z[3] * z[4]);
        alongSpan.add(z[3] * z[11]);
      }
      mean.assertMean(0, "mean");
      square.assertMean(rank, "variance", 1e-9);
      alongRow.assertMean(0, "neighbours of a span");
      alongSpan.assertMean(0, "neighbours of a row");
    }
  }
});

Deno.test("within the steps that share v the estimate is the gradient seen through v, over all it is the gradient", () => {
  // g = ones: z z' g / rank has the mean v v' g / rank while v stays.
  const [spans, rows, rank] = [6, 4, 2];
  const kept = seedOf({ rank, keep: 4000 }, 0);
  const signs = Array.from(
    { length: spans },
    (_, span) => threefry2x32([kept[1], 0x6c6f7772], [span, 77])[0],
  );
  const seen = signs.map((a) => {
    const same = (b: number) =>
      [0, 1].reduce((sum, r) => sum + ((a ^ b) >>> r & 1 ? -1 : 1), 0) / rank;
    return signs.reduce((sum, b) => sum + same(b), 0);
  });
  for (const keep of [4000, 1]) {
    const estimates = Array.from({ length: spans }, () => new Sample());
    for (let step = 0; step < 4000; step++) {
      const z = matrix(seedOf({ rank, keep }, step), spans, rows);
      const derivative = z.flat().reduce((a, b) => a + b);
      estimates.forEach((sample, i) => sample.add(derivative * z[i][1] / rank));
    }
    estimates.forEach((sample, i) =>
      sample.assertMean(keep === 1 ? 1 : seen[i], `span ${i}, v kept for ${keep}`)
    );
  }
});

Deno.test("coefficients times z are exact in f32 up to rank 8", () => {
  const next = random(8);
  for (let step = 0; step < 300; step++) {
    const z = fillNoise(
      { dense: "normal", structure: "lowRank" },
      seedOf({ rank: 8, keep: 1 }, step),
      9,
      0,
      new Float32Array(64),
      { width: 16 },
    );
    const coefficient = roundCoefficient((next() - 0.5) * 10 ** (-20 * next()));
    for (const value of z) {
      assert(Number.isInteger(2 * value) && Math.abs(2 * value) <= 64);
      assertEquals(Math.fround(coefficient * value), coefficient * value);
    }
  }
});

Deno.test("lozo moves by derivative / rank along what it looked along", () => {
  const rule = lozo({ rank: 2, epsilon: 0.5, learningRate: 0.25 });
  const tensors = [{ name: "a", count: 24, width: 8 }, { name: "b", count: 5 }];
  const session = new Session({ parameters: new Float32Array(29), tensors, optimiser: rule });
  const [plus] = session.ask();
  const { coefficients } = session.tell([5, 1]);
  assertAlmostEquals(coefficients[0], -0.25 * 4 / 2);
  assertEquals(session.offsets, plus.map((x) => hostOps.mul(-1, x)));
});

Deno.test("ranks that cannot be exact, and two structures at once, are refused", () => {
  for (const rank of [0, 9, 1.5]) {
    assertThrows(() => completeLowRank({ rank }), RangeError, "rank");
  }
  const options = { name: "both", estimator: spsa(), lowRank: { rank: 1 } };
  assertThrows(
    () => optimiser({ ...options, mask: { density: 0.5 } }),
    RangeError,
    "mask and lowRank",
  );
  assertThrows(
    () => optimiser({ name: "none", estimator: spsa(), distribution: "lowRankNormal" as never }),
    RangeError,
    "lowRankNormal",
  );
});
