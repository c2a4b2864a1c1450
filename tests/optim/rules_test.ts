import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  acceptBest,
  accumulate,
  adam,
  adamFromSeeds,
  batchPerDirection,
  blockwiseZo,
  chain,
  clipByQuantile,
  decayOffsets,
  fillNoise,
  hostOps,
  linear,
  masterSeed,
  momentumFromSeeds,
  moveSeeds,
  NonFiniteLossError,
  normaliseByRms,
  normaliseBySpread,
  onePoint,
  optimiser,
  rejectSpikes,
  residualFeedback,
  scalarStep,
  scaleBySchedule,
  Session,
  spsa,
  stepSeed,
  threePoint,
  type Transformation,
  zoAdam,
  zoSgdConservative,
  zoSgdMomentum,
} from "../../optim/mod.ts";
import { quadratic } from "./objectives.ts";
import { random } from "./random.ts";
import { completeParts } from "../../optim/directions/direction_plan.ts";
import { completeMask } from "../../optim/directions/mask.ts";

/** Runs a rule over rows of values. */
function trace(
  rule: Transformation,
  rows: readonly (readonly number[])[],
  losses?: readonly (readonly number[])[],
): number[][] {
  let state: readonly number[] = rule.init();
  return rows.map((row, step) => {
    const inputs = rule.inputs(step).map(Math.fround);
    const made = rule.update(hostOps, row.map(Math.fround), state, inputs, losses?.[step]);
    assertEquals(made.state.length, rule.stateSize);
    state = made.state;
    return [...made.values];
  });
}

/** Normal numbers. */
function normals(seed: number): () => number {
  const next = random(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

Deno.test("normaliseBySpread divides by the deviation of a sample, and survives none", () => {
  const row = [3, -1, 0.5, 8];
  const mean = row.reduce((a, b) => a + b) / 4;
  const deviation = Math.sqrt(row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 3);
  trace(normaliseBySpread(4), [row])[0].forEach((value, i) =>
    assertAlmostEquals(value, row[i] / deviation, 1e-6)
  );
  assertEquals(trace(normaliseBySpread(2), [[0, 0]]), [[0, 0]]);
  assertThrows(() => trace(normaliseBySpread(3), [[1, 2]]), TypeError, "2 given");
});

Deno.test("residual feedback is the difference to the last step's mean", () => {
  const rows = [[5, 7], [1, 9], [4, 4]];
  assertEquals(trace(residualFeedback(), rows), [[0, 0], [-5, 3], [-1, -1]]);
  assertEquals(onePoint({ epsilon: 0.25, queries: 2 }).derivatives(hostOps, [1, 2]), [4, 8]);
});

Deno.test("clipByQuantile settles where the share of the quantile lies below", () => {
  for (const quantile of [0.5, 0.9]) {
    for (const unit of [1e-6, 1, 1e6]) {
      const next = normals(3);
      const rows = Array.from({ length: 12000 }, () => [unit * next()]);
      const rule = clipByQuantile({ quantile, rate: 0.02 });
      const made = trace(rule, rows);
      const late = rows.map(([d], i) => Math.abs(made[i][0]) < Math.abs(Math.fround(d)) ? 1 : 0)
        .slice(2000);
      const share = late.reduce<number>((a, b) => a + b, 0) / late.length;
      // The threshold is itself noisy: the level shares of stochastic approximation, not of 10,000 free draws.
      assertAlmostEquals(share, 1 - quantile, 0.02, `${quantile} in units of ${unit}`);
    }
  }
});

Deno.test("clipByQuantile: a first spike is forgotten, a later one is cut, zeros are survived", () => {
  const next = normals(4);
  const rows = [[1000], ...Array.from({ length: 1500 }, () => [next()]), [1000], [-1000]];
  const made = trace(clipByQuantile(), rows).map(([value]) => value);
  assertEquals(made[0], 1000);
  assert(made[1501] < 4 && made[1501] > 1 && made[1502] < -1 && made[1502] > -4);
  assertEquals(trace(clipByQuantile(), [[0], [0], [0]]), [[0], [0], [0]]);
});

Deno.test("rejectSpikes stops spikes alone, learns a loss that rose for good, needs losses", () => {
  const next = normals(5);
  const losses = Array.from({ length: 400 }, (_, step) => {
    const level = step < 200 ? 2 : 4;
    return [step === 100 ? 30 : level + 0.1 * next(), level + 0.1 * next()].map(Math.fround);
  });
  const made = trace(rejectSpikes(), losses.map(() => [1]), losses).map(([value]) => value);
  assertEquals(made[100], 0);
  assertEquals(made.slice(0, 100).filter((value) => value === 0).length, 0);
  assertEquals(made.slice(101, 200).filter((value) => value === 0).length, 0);
  assertEquals(made[200], 0, "a step up is a spike at first");
  assert(made.slice(260).every((value) => value === 1), "it was never learned");
  const steady = trace(rejectSpikes(), losses.map(() => [1]), losses.map((_, i) => [2 + i * 1e-6]));
  assert(steady.every(([value]) => value === 1), "a steady loss has spikes");
  assertThrows(() => trace(rejectSpikes(), [[1]]), TypeError, "losses");
});

Deno.test("accumulation moves at the last step by what the rule makes of the mean", () => {
  const next = normals(6);
  const rows = Array.from({ length: 12 }, () => [next(), next()]);
  const rule = chain(normaliseByRms({ decay: 0.5 }), scaleBySchedule(0.25));
  const made = trace(accumulate(3, rule, { directions: 2 }), rows);
  const means = [0, 3, 6, 9].map((at) =>
    [0, 1].map((i) => (rows[at][i] + rows[at + 1][i] + rows[at + 2][i]) / 3)
  );
  trace(rule, means).forEach((row, i) =>
    row.forEach((value, d) => assertAlmostEquals(made[3 * i + 2][d], value, 1e-5))
  );
  made.forEach((row, step) => step % 3 < 2 && assertEquals(row.map(Math.abs), [0, 0]));
});

Deno.test("accumulated batches see one direction and move as one large batch does", () => {
  const objective = quadratic([1, -2, 0.5], 3);
  const rate = scaleBySchedule(0.02);
  const accumulated = optimiser({
    name: "accumulated",
    estimator: spsa({ epsilon: 0.25 }),
    transformations: [accumulate(4, rate)],
  });
  const one = optimiser({
    name: "one",
    estimator: spsa({ epsilon: 0.25 }),
    transformations: [rate],
  });
  const options = { parameters: [0, 0, 0], seed: 8 };
  const slow = new Session({ ...options, optimiser: accumulated });
  const fast = new Session({ ...options, optimiser: one });
  for (let step = 0; step < 20; step++) {
    for (let batch = 0; batch < 4; batch++) {
      // Batches that differ by shifts which cancel out over the four.
      const shift = [1, -3, 3, -1][batch];
      slow.tell(slow.ask().map((x) => objective.loss(x) + shift * x[0]));
    }
    fast.tell(fast.ask().map(objective.loss));
    slow.offsets.forEach((w, i) => assertAlmostEquals(w, fast.offsets[i], 1e-5));
  }
  assert(Math.abs(slow.offsets[1]) > 0.1, "nothing moved");
});

Deno.test("a batch for each direction: all look from one point, and it moves along all of them by the mean", () => {
  const objective = quadratic([1, -2, 0.5], 3);
  const rule = chain(normaliseBySpread(6), scaleBySchedule(linear(0.3, { total: 8 })));
  const plan = optimiser({
    name: "batches",
    estimator: spsa({ epsilon: 0.25, queries: 2 }),
    transformations: [batchPerDirection(3, rule, { directions: 2 })],
  });
  const session = new Session({ parameters: [0, 0, 0], optimiser: plan, seed: 8 });
  const expected = [0, 0, 0];
  for (let move = 0; move < 5; move++) {
    const seen: { d: number; z: Float32Array }[] = [];
    for (let batch = 0; batch < 3; batch++) {
      const before = session.offsets.slice();
      const made = session.tell(
        session.ask().map((x) => objective.loss(x) + (batch - 1) * x[0]),
      );
      seen.push(...made.derivatives.map((d, q) => ({
        d,
        z: fillNoise("normal", made.seeds[q], 0, 0, new Float32Array(3)),
      })));
      if (batch < 2) assertEquals(session.offsets, before);
    }
    const mean = seen.reduce((sum, { d }) => sum + d / 6, 0);
    const deviation = Math.sqrt(seen.reduce((sum, { d }) => sum + (d - mean) ** 2 / 5, 0));
    const rate = linear(0.3, { total: 8 }).at(move);
    for (const { d, z } of seen) z.forEach((v, i) => expected[i] -= rate * d / deviation * v / 6);
    session.offsets.forEach((w, i) => assertAlmostEquals(w, expected[i], 2e-4));
  }
  assert(Math.abs(expected[1]) > 0.1, "nothing moved");
});

/** Momentum or Adam with moments per element, in f64. */
function stored(adam: boolean, made: readonly { d: number; z: Float32Array }[]): number[] {
  const n = made[0].z.length;
  const [m, v, w] = [0, 0, 0].map(() => new Array<number>(n).fill(0));
  made.forEach(({ d, z }, t) => {
    for (let i = 0; i < n; i++) {
      const g = d * z[i];
      m[i] = 0.9 * m[i] + (adam ? 0.1 : 1) * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      w[i] -= adam
        ? 0.01 * m[i] / (1 - 0.9 ** (t + 1)) / (Math.sqrt(v[i] / (1 - 0.999 ** (t + 1))) + 1e-8)
        : 0.01 * m[i];
    }
  });
  return w;
}

for (const adam of [false, true]) {
  Deno.test(`${adam ? "Adam" : "momentum"} from seeds is the stored one, up to its cut`, () => {
    const rule = (adam ? zoAdam : zoSgdMomentum)({
      state: "seeds",
      learningRate: 0.01,
      length: 128,
    });
    const objective = quadratic([1, -2, 0.5, 3], 5);
    const session = new Session({ parameters: [0, 0, 0, 0], optimiser: rule, seed: 2 });
    const made: { d: number; z: Float32Array }[] = [];
    for (let step = 0; step < 200; step++) {
      const z = new Float32Array(4);
      fillNoise(rule.law, stepSeed(masterSeed(2), step, 0), 0, 0, z);
      made.push({ d: session.tell(session.ask().map(objective.loss)).derivatives[0], z });
    }
    const expected = stored(adam, made);
    const size = Math.hypot(...expected);
    const error = Math.hypot(...expected.map((w, i) => w - session.offsets[i]));
    // Coefficients have 16 bits, each step's error is at most 2^-16 of its length.
    assert(error < 1e-4 * size && size > 0.5, `${error} of ${size}`);
  });
}

Deno.test("a step remembers the directions of the steps before, in order", () => {
  const plan = { hold: 2, memory: 3 };
  const master = masterSeed(4);
  const seeds = (draw: number) => [0, 1].map((d) => stepSeed(master, draw, d));
  assertEquals(moveSeeds(plan, 2, master, 9), [...seeds(4), ...seeds(3), ...seeds(2)]);
  assertEquals(moveSeeds(plan, 2, 4, 0), [...seeds(0), ...seeds(0), ...seeds(0)]);
  const rule = momentumFromSeeds({ decay: 0.5, length: 3, directions: 2 });
  assertEquals(trace(rule, [[8, 16], [1, 2], [0, 1], [0, 0]]), [
    [8, 16, 0, 0, 0, 0],
    [1, 2, 4, 8, 0, 0],
    [0, 1, 0.5, 1, 2, 4],
    [0, 0, 0, 0.5, 0.25, 0.5],
  ]);
});

Deno.test("three points: the lowest wins, ties stay, and the step goes exactly there", () => {
  const rule = optimiser({ name: "three", estimator: threePoint({ epsilon: 0.5 }) });
  const step = (losses: number[]) => scalarStep(rule, losses, [], []).coefficients[0];
  assertEquals([[2, 1, 3], [2, 3, 1], [1, 2, 3], [1, 1, 1], [1, 1, 0.5]].map(step), [
    0.5,
    -0.5,
    0,
    0,
    -0.5,
  ]);
});

Deno.test("conservative: the point of three that is lowest, along the direction that was looked along", () => {
  const rule = zoSgdConservative({ epsilon: 0.5, learningRate: 0.25 });
  const tried = (losses: number[]) => {
    const session = new Session({ parameters: [0, 0, 0], optimiser: rule, seed: 5 });
    const [plus] = session.ask();
    const first = session.tell([3, 1]);
    assertEquals([first.tried, first.coefficients, session.step], [true, [-0.5], 0]);
    const points = session.ask();
    assertEquals(session.ask(), points);
    // d = 2, so the step is -0.5 z and plus was 0.5 z.
    assertEquals(points, [plus.map(() => 0), plus.map((x) => -x), plus]);
    const made = session.tell(losses);
    assertEquals([made.losses, made.tried, session.step], [[3, 1, ...losses], undefined, 1]);
    return points.findIndex((point) => point.every((x, i) => x === session.offsets[i]));
  };
  assertEquals([[1, 0, 2], [1, 2, 0], [1, 1, 1], [0, 1, 2], [2, 1, 0.5]].map(tried), [
    1,
    2,
    0,
    0,
    2,
  ]);
  const session = new Session({ parameters: [0], optimiser: rule });
  assertThrows(() => session.tell([1, 2, 3, 4]), TypeError, "4 losses");
  session.tell([2, 1]);
  assertThrows(() => session.tell([1, 2]), TypeError, "2 losses");
  assertThrows(() => session.tell([1, 2, NaN]), NonFiniteLossError);
  assertEquals([session.step, session.offsets[0]], [0, 0]);
  assertEquals(session.tell([1, 2, 2]).coefficients, [0]);
});

Deno.test("a search along the step makes the best multiple of it, exactly", () => {
  const rule = optimiser({
    name: "search",
    estimator: spsa({ epsilon: 0.125 }),
    transformations: [scaleBySchedule(0.03)],
    accept: acceptBest([0, 1, -1, 2, 4, -0.25]),
  });
  const { loss } = quadratic([3, -2, 1], 4);
  const session = new Session({ parameters: [0, 0, 0], optimiser: rule, seed: 1 });
  const multiples = new Set<number>();
  for (let step = 0; step < 60; step++) {
    const { coefficients: [proposed] } = session.tell(session.ask().map(loss));
    const points = session.ask().map(loss);
    const { coefficients: [made] } = session.tell(points);
    multiples.add(made / proposed);
    assertEquals(loss(session.parameters()), Math.min(...points));
  }
  assert(multiples.size > 2 && [...multiples].every((m) => [0, 1, -1, 2, 4, -0.25].includes(m)));
  assert(loss(session.parameters()) < 0.1);
});

Deno.test("offsets decay by the rates' sum, in portions, and on the bits of f32", () => {
  const rate = linear(2 ** -8, { total: 400, warmup: 10 });
  const rule = optimiser({
    name: "decaying",
    estimator: spsa({ queries: 3 }),
    transformations: [scaleBySchedule(1), decayOffsets(rate, { bits: 8, directions: 3 })],
  });
  const session = new Session({ parameters: [0, 0, 0, 0], optimiser: rule, seed: 1 });
  const slope = ([a, b, c, d]: Float32Array) => 3 * a - b + c / 3 + d;
  session.tell(session.ask().map(slope));
  const start = session.offsets.slice();
  const w = start.slice();
  let portions = 0;
  for (let step = 1; step < 400; step++) {
    const { coefficients } = session.tell(session.ask().map(() => 1));
    assertEquals(coefficients.slice(0, 3), [0, 0, 0]);
    if (coefficients[3] === 0) continue;
    assertEquals(coefficients[3], -(2 ** -8));
    portions++;
    w.forEach((x, i) => w[i] = Math.fround(x - x * 2 ** -8));
  }
  assertEquals(session.offsets, w);
  const total = Array.from({ length: 400 }, (_, step) => rate.at(step)).reduce((a, b) => a + b);
  assertAlmostEquals(portions, total * 256, 1.01);
  assert(w.every((x, i) => Math.abs(x / start[i] - (1 - 2 ** -8) ** portions) < 1e-5));
  const late = decayOffsets(rate, { bits: 8, directions: 3 });
  const early = decayOffsets(rate, { bits: 8, directions: 3 });
  const inputs = (from: Transformation, list: number[]) => list.map((step) => from.inputs(step)[0]);
  const order = [399, 3, 200, 0];
  assertEquals(inputs(late, order), inputs(early, order.toReversed()).toReversed());
});

Deno.test("parts that make no sense are refused with what they were", () => {
  const refused: [() => unknown, string][] = [
    [() => normaliseBySpread(1), "1"],
    [() => normaliseBySpread(4, { floor: 1e-30 }), "1e-30"],
    [() => onePoint({ epsilon: 0 }), "0"],
    [() => clipByQuantile({ quantile: 1 }), "1"],
    [() => clipByQuantile({ rate: 0 }), "0"],
    [() => rejectSpikes({ decay: 1 }), "1"],
    [() => rejectSpikes({ warmup: 1 }), "1"],
    [() => accumulate(1, chain()), "1"],
    [() => accumulate(2, accumulate(2, chain())), "accumulate"],
    [() => chain(accumulate(2, chain()), accumulate(2, chain())), "hold"],
    [() => chain(momentumFromSeeds(), adamFromSeeds()), "memory"],
    [() => momentumFromSeeds({ length: 1 }), "1"],
    [() => momentumFromSeeds({ length: 600, directions: 2 }), "512"],
    [() => momentumFromSeeds({ decay: 1 }), "1"],
    [() => adamFromSeeds({ secondDecay: 0 }), "0"],
    [() => decayOffsets(1).inputs(0), "1"],
    [() => decayOffsets(0, { bits: 20 }), "20"],
    [() => chain(decayOffsets(0), scaleBySchedule(1)), "decayOffsets"],
    [() => batchPerDirection(1, scaleBySchedule(1)), "1"],
    [() => batchPerDirection(600, scaleBySchedule(1), { directions: 2 }), "512"],
    [() => batchPerDirection(2, momentumFromSeeds()), "momentumFromSeeds"],
    [() => acceptBest([1]), "1"],
    [() => acceptBest([0, 3]), "3"],
    [() => acceptBest([0, 2 ** 9]), "512"],
    [() => acceptBest([0, NaN]), "NaN"],
    [
      () => optimiser({ name: "x", estimator: spsa({ queries: 2 }), accept: acceptBest() }),
      "single direction",
    ],
    [
      () => optimiser({ name: "x", estimator: spsa(), accept: acceptBest(), update: adam() }),
      "single direction",
    ],
    [
      () =>
        optimiser({
          name: "x",
          estimator: spsa(),
          accept: acceptBest(),
          blocks: { by: "part" },
        }),
      "single direction",
    ],
    [() => threePoint({ epsilon: NaN }), "NaN"],
    [() => completeMask({ density: 0 }), "0"],
    [() => completeMask({ density: 2 }), "2"],
    [() => completeMask({ density: 0.5, keep: 0 }), "0"],
    [() => completeMask({ density: 0.5, unit: "layer" as never }), "layer"],
    [() => completeMask({ density: 0.5, kept: 2 } as never), 'unknown option "kept"'],
    [() => completeParts({ lowRank: { rang: 2 } as never }), 'did you mean "rank"?'],
    [() => completeParts({ blocks: { by: "part", kount: 2 } as never }), 'did you mean "count"?'],
    [() => completeParts({ magnitude: { density: 1, end: "small" } as never }), "end"],
    [() => completeParts({ gains: { powers: 1 } as never }), 'did you mean "power"?'],
    [() => blockwiseZo({ blocks: { by: "layer" } }), "NaN"],
    [() => blockwiseZo({ blocks: { by: "layer", count: 2000 } }), "2000"],
    [() => blockwiseZo({ blocks: { by: "head" as never } }), "head"],
    [() => blockwiseZo({ blocks: { by: "part", order: "up" as never } }), "up"],
    [() => blockwiseZo({ distribution: "sparseNormal" as never }), "sparseNormal"],
    [
      () =>
        optimiser({ name: "x", estimator: spsa(), mask: { density: 1 }, blocks: { by: "part" } }),
      "mask",
    ],
    [
      () => optimiser({ name: "x", estimator: spsa(), distribution: "sparseNormal" as never }),
      "sparseNormal",
    ],
  ];
  for (const [make, shown] of refused) assertThrows(make, RangeError, shown);
});
