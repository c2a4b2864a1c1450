import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  clipDerivative,
  cosine,
  fillNoise,
  type HostStep,
  masterSeed,
  mezo,
  minimise,
  NonFiniteLossError,
  oneSided,
  type Optimiser,
  optimiser,
  qzo,
  qzoNormalised,
  scaleBySchedule,
  Session,
  signDerivative,
  spsa,
  stepSeed,
} from "../../../optim/mod.ts";
import { logistic, type Objective, quadratic, rosenbrock } from "../objectives.ts";
import { random } from "../random.ts";

function norm(x: ArrayLike<number>): number {
  return Math.hypot(...Array.from(x));
}

function run(objective: Objective, start: number[], plan: Optimiser, steps: number): Session {
  const session = new Session({ parameters: start, optimiser: plan, seed: 11 });
  for (let step = 0; step < steps; step++) session.tell(session.ask().map(objective.loss));
  return session;
}

const next = random(7);
const rows = Array.from({ length: 60 }, () => [next() - 0.5, next() - 0.5, next() - 0.5, 1]);
const labels = rows.map(([a, b], i) => a - b + 0.2 * Math.sin(i) > 0 ? 1 : -1);

const objectives: Record<string, { objective: Objective; start: number[] }> = {
  "quadratic of condition 1": {
    objective: quadratic([1, -2, 0.5, 3], 1),
    start: [0.1, 0.1, 0.1, 0.1],
  },
  "quadratic of condition 10": { objective: quadratic([1, 2, 0.5, 3], 10), start: [2, 1, 1, 2] },
  "logistic regression": {
    objective: logistic(rows, labels),
    start: [0.5, -0.5, 0.5, -0.5],
  },
};

const plans: Record<string, Optimiser> = {
  mezo: mezo({ learningRate: 0.02 }),
  "mezo, four Rademacher queries": mezo({
    learningRate: 0.05,
    queries: 4,
    distribution: "rademacher",
  }),
  "qzo, signs free": qzo({ learningRate: 0.02, projection: "none" }),
  "one-sided, clipped": optimiser({
    name: "one-sided",
    estimator: oneSided({ queries: 2 }),
    transformations: [clipDerivative(10), scaleBySchedule(0.02)],
  }),
  "normalised, decaying": qzoNormalised({
    form: "absolute",
    projection: "none",
    epsilon: 1e-3,
    learningRate: cosine(0.1, { total: 1500, warmup: 20 }),
  }),
  "sign, decaying": optimiser({
    name: "sign",
    estimator: spsa(),
    transformations: [signDerivative(), scaleBySchedule(cosine(0.05, { total: 1500 }))],
  }),
};

for (const [planName, plan] of Object.entries(plans)) {
  for (const [name, { objective, start }] of Object.entries(objectives)) {
    Deno.test(`${planName} finds the stationary point of ${name}`, () => {
      const session = run(objective, start, plan, 1500);
      const before = norm(objective.gradient(start));
      const after = norm(objective.gradient(session.parameters()));
      assert(after < 0.02 * before, `gradient norm ${before} -> ${after}`);
    });
  }
}

Deno.test("mezo descends Rosenbrock's valley", () => {
  const session = run(rosenbrock, [-1.2, 1], mezo({ learningRate: 5e-4 }), 20000);
  const loss = rosenbrock.loss(session.parameters());
  assert(loss < 1e-3, `${rosenbrock.loss([-1.2, 1])} -> ${loss}`);
});

Deno.test("relative offsets tune factors, and keep-sign stops at zero", () => {
  const objective = quadratic([0.02, -5], 1);
  const plan = qzo({ form: "relative", learningRate: 5, clip: Infinity });
  const session = run(objective, [0.01, -0.1], plan, 1);
  assert(session.offsets.every((w) => w >= -1));
  const crossing = run(quadratic([-1, 1], 1), [0.5, -0.5], qzo({ learningRate: 0.05 }), 400);
  assertEquals(crossing.parameters().map(Math.abs), new Float32Array([0, 0]));
});

Deno.test("estimates of a quadratic's gradient have the mean and variance of theory", () => {
  const objective = quadratic([1, -1, 2, 0, 0.5], 3);
  const at = [0, 0, 1, 1, 1];
  const gradient = objective.gradient(at);
  const square = norm(gradient) ** 2;
  const samples = 30000;
  for (const [distribution, kurtosis] of [["normal", 2.875], ["rademacher", 1]] as const) {
    for (const estimator of [spsa({ epsilon: 0.125 }), oneSided({ epsilon: 0.125 })]) {
      const z = new Float32Array(5);
      const sums = gradient.map(() => [0, 0, 0]);
      for (let step = 0; step < samples; step++) {
        fillNoise(distribution, stepSeed(masterSeed(5), step, 0), 0, 0, z);
        const losses = estimator.branches.map(({ amplitude }) =>
          objective.loss(at.map((x, i) => x + amplitude * z[i]))
        );
        const [d] = estimator.derivatives(exact, losses);
        z.forEach((value, i) =>
          [1, 2, 4].forEach((power, j) => sums[i][j] += (d * value) ** power)
        );
      }
      gradient.forEach((g, i) => {
        const [first, second, fourth] = sums[i].map((sum) => sum / samples);
        const error = Math.sqrt((second - first ** 2) / samples);
        assert(Math.abs(first - g) < 4.5 * error, `mean ${first}, not ${g} +- ${error}`);
        if (estimator.name !== "spsa") return;
        const expected = square + (kurtosis - 1) * g * g;
        const spread = Math.sqrt((fourth - second ** 2) / samples);
        assert(
          Math.abs(second - expected) < 4.5 * spread,
          `second moment ${second}, not ${expected} +- ${spread}`,
        );
      });
    }
  }
});

/** Plain f64 arithmetic, so that the statistics are not those of rounding. */
const exact = {
  constant: (x: number): number => x,
  add: (a: number, b: number): number => a + b,
  sub: (a: number, b: number): number => a - b,
  mul: (a: number, b: number): number => a * b,
  div: (a: number, b: number): number => a / b,
  neg: (a: number): number => -a,
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
  sqrt: Math.sqrt,
  sign: Math.sign,
  less: (a: number, b: number): number => Number(a < b),
  select: (c: number, a: number, b: number): number => c ? a : b,
};

Deno.test("asking again changes nothing, and branches are the base plus amplitude times z", () => {
  const session = new Session({
    parameters: [1, 2, 3],
    optimiser: mezo({ epsilon: 0.5, queries: 2 }),
    seed: 4,
    tensorId: 9,
  });
  const points = session.ask();
  assertEquals(session.ask(), points);
  const z = fillNoise("normal", stepSeed(masterSeed(4), 0, 1), 9, 0, new Float32Array(3));
  assertEquals(points[2], new Float32Array([1, 2, 3]).map((x, i) => x + 0.5 * z[i]));
  assertEquals(points[3], new Float32Array([1, 2, 3]).map((x, i) => x - 0.5 * z[i]));
});

Deno.test("a non-finite loss stops with a typed error and leaves everything as it was", () => {
  const session = run(objectives["logistic regression"].objective, [1, 1, 1, 1], plans.mezo, 5);
  const before = session.offsets.slice();
  for (const bad of [NaN, Infinity, -Infinity, 1e39]) {
    const error = assertThrows(() => session.tell([1, bad]), NonFiniteLossError, "step 5");
    assertEquals([error.step, error.losses], [5, [1, bad]]);
  }
  assertThrows(() => session.tell([1]), TypeError, "1 losses");
  const steep = new Session({ parameters: [1], optimiser: mezo({ learningRate: 1e6 }) });
  assertThrows(() => steep.tell([3e38, -3e38]), NonFiniteLossError, "coefficients");
  assertEquals([session.step, session.offsets], [5, before]);
  assert(session.tell([1, 2]).step === 5);
});

Deno.test("state is carried from step to step and into the records", () => {
  const { objective, start } = objectives["quadratic of condition 1"];
  const session = run(objective, start, qzoNormalised(), 3);
  const before = session.state;
  const points = session.ask();
  const { state, derivatives } = session.tell(points.map(objective.loss));
  assertEquals(session.state, state);
  const expected = 0.99 * before[0] + 0.01 * derivatives[0] ** 2;
  assertAlmostEquals(state[0] / expected, 1, 1e-6);
  assert(before[0] > 0);
});

Deno.test("replayed records give the same bits and the run goes on as if unbroken", () => {
  for (const plan of [...Object.values(plans), qzo({ learningRate: 0.01 }), qzoNormalised()]) {
    const { objective, start } = objectives["quadratic of condition 10"];
    const options = { parameters: start, optimiser: plan, seed: 3, tensorId: 5 };
    const session = new Session(options);
    const made: HostStep[] = [];
    for (let step = 0; step < 60; step++) {
      made.push(session.tell(session.ask().map(objective.loss)));
    }
    for (const broken of [0, 1, 30, 60]) {
      const resumed = new Session(options);
      for (const record of made.slice(0, broken)) resumed.replay(record);
      while (resumed.step < 60) {
        assertEquals(resumed.tell(resumed.ask().map(objective.loss)), made[resumed.step - 1]);
      }
      assertEquals(resumed.offsets, session.offsets);
      assertEquals(resumed.state, session.state);
    }
  }
});

Deno.test("minimise awaits objectives, resumes from records and aborts between evaluations", async () => {
  const { objective, start } = objectives["quadratic of condition 1"];
  const options = {
    objective: (x: Float32Array) => Promise.resolve(objective.loss(x)),
    parameters: start,
    optimiser: plans.mezo,
    steps: 20,
  };
  const whole = await Array.fromAsync(minimise(options));
  assertEquals(whole.map(({ step }) => step), [...Array(20).keys()]);
  const rest = await Array.fromAsync(minimise({ ...options, records: whole.slice(0, 12) }));
  assertEquals(rest.map(({ step }) => step), [12, 13, 14, 15, 16, 17, 18, 19]);
  assertEquals(rest[7].session.offsets, whole[19].session.offsets);

  const controller = new AbortController();
  const reason = new Error("enough");
  const aborted = minimise({ ...options, signal: controller.signal });
  await aborted.next();
  controller.abort(reason);
  assert(await assertRejects(() => aborted.next()) === reason);
});

Deno.test("records of another optimiser are refused", () => {
  const session = new Session({ parameters: [1], optimiser: qzoNormalised() });
  const seeds = [masterSeed(1)];
  assertThrows(() => session.replay({ seeds, coefficients: [1], state: [] }), TypeError, "0 state");
  assertEquals(session.step, 0);
});
