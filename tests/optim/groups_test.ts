// Groups: one loss difference for all, divided by each group's own epsilon, times its own learning rate.
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  encodeHeader,
  type LedgerHeader,
  linear,
  masterSeed,
  minimise,
  namedOptimisers,
  NOISE_VERSION,
  noiseAt,
  type Optimiser,
  optimiserNames,
  parseGroups,
  Session,
  stepSeed,
  tensorId,
  type Trainable,
  trainedGroup,
  withRule,
} from "../../optim/mod.ts";
import { decodeHeader } from "../../optim/ledger/ledger_header.ts";
import { accumulate, elementOps, qzo, qzoNormalised, qzoPlus, zoAdam } from "../../optim/mod.ts";

const { mezo, zoAdamW, zoSgdConservative, zoSgdSign, zoSgdMomentum, threePointDescent } =
  namedOptimisers;

/** Two tensors of two parameters, the second in a group. */
const tensors = [{ name: "plain", count: 2 }, { name: "own", count: 2, group: "own" }];
const start = [1, -2, 0.5, 3];
const curvatures = [1, 2, 0.5, 4];
const objective = (w: ArrayLike<number>) =>
  curvatures.reduce((sum, c, i) => sum + 0.5 * c * w[i] ** 2, 0);

/** z of the first step, in f64. */
function directionOf(seed: number, law: "normal" | "rademacher"): number[] {
  const key = stepSeed(masterSeed(seed), 0, 0);
  return tensors.flatMap(({ name, count }) =>
    Array.from({ length: count }, (_, i) => noiseAt(law, key, tensorId(name), i))
  );
}

/** The first step of an optimiser on the objective. */
function firstMove(optimiser: Optimiser, seed = 3): { moves: number[]; points: number[][] } {
  const session = new Session({ parameters: start, optimiser, seed, tensors });
  const points = session.ask().map((point) => [...point]);
  session.tell(points.map(objective));
  return { moves: [...session.offsets], points };
}

const [epsilon, learningRate, ownEpsilon, ownRate] = [1e-2, 2e-3, 0.1, 0.5];
const groups = { own: { epsilon: ownEpsilon, learningRate: ownRate } };

/** The points and the loss difference of two branches, from the definition. */
function definition(law: "normal" | "rademacher" = "normal") {
  const z = directionOf(3, law);
  const reach = [epsilon, epsilon, ownEpsilon, ownEpsilon];
  const points = [1, -1].map((sign) => start.map((w, i) => w + sign * reach[i] * z[i]));
  const difference = objective(points[0]) - objective(points[1]);
  // d of each element's own group.
  return { z, points, slopes: reach.map((e) => difference / (2 * e)) };
}

const rates = [learningRate, learningRate, ownRate, ownRate];

Deno.test("groups: a branch looks as far as each group's epsilon, a step is -rate_g d_g z", () => {
  const { z, points, slopes } = definition();
  const found = firstMove(mezo({ epsilon, learningRate, groups }));
  points.flat().forEach((value, i) => assertAlmostEquals(found.points.flat()[i], value, 1e-6));
  z.forEach((one, i) => {
    const expected = -rates[i] * slopes[i] * one;
    assertAlmostEquals(found.moves[i], expected, 1e-4 * Math.abs(expected) + 1e-9);
  });
});

Deno.test("groups: a clip is of the optimiser's derivative, a group's threshold is that times epsilon / epsilon_g", () => {
  const { z, slopes } = definition();
  const clip = Math.abs(slopes[0]) / 4;
  const found = firstMove(qzo({ epsilon, learningRate, groups, clip, projection: "none" }));
  z.forEach((one, i) => {
    const expected = -rates[i] * slopes[i] / 4 * one;
    assertAlmostEquals(found.moves[i], expected, 1e-4 * Math.abs(expected) + 1e-9);
  });
});

Deno.test("groups: where the derivative is normalised a step is the group's learning rate long", () => {
  const { z, slopes } = definition();
  const sign = Math.sign(slopes[0]);
  const released = zoSgdSign({
    ...{ epsilon, learningRate, groups, asReleased: true, distribution: "normal" },
  });
  const normalised = qzoNormalised({
    epsilon,
    learningRate,
    groups,
    form: "absolute",
    projection: "none",
  });
  for (const optimiser of [released, normalised]) {
    const { moves } = firstMove(optimiser);
    z.forEach((one, i) => assertAlmostEquals(moves[i], -rates[i] * sign * one, 1e-4));
  }
});

Deno.test("groups: update rules take the group's gradient and learning rate", () => {
  const { z, slopes } = definition("rademacher");
  const options = { epsilon, learningRate, groups, distribution: "rademacher" } as const;
  const { moves: byAdam } = firstMove(zoAdam(options));
  const { moves: bySign } = firstMove(zoSgdSign(options));
  const { moves: byMomentum } = firstMove(zoSgdMomentum(options));
  z.forEach((one, i) => {
    const against = -Math.sign(slopes[0]) * one;
    assertAlmostEquals(byAdam[i], against * rates[i], 1e-5);
    assertAlmostEquals(bySign[i], against * rates[i], 1e-6);
    const expected = -rates[i] * slopes[i] * one;
    assertAlmostEquals(byMomentum[i], expected, 1e-4 * Math.abs(expected));
  });
  // Decay goes with the learning rate of the group as well.
  const { update } = zoAdamW({ ...options, weightDecay: 0.5 });
  const inputs = update!.inputs(4);
  const [paced] = [update!.paced!(inputs, 250)];
  assertAlmostEquals(paced[2], 1 - 250 * learningRate * 0.5, 1e-12);
  assertAlmostEquals(
    update!.update(elementOps, 1, 0, [0, 0], paced).offset,
    1 - ownRate * 0.5,
    1e-6,
  );
});

Deno.test("groups: where a step is a length it goes with the group's epsilon", () => {
  const { z } = definition();
  const three = firstMove(threePointDescent({ epsilon, groups: { own: { epsilon: ownEpsilon } } }));
  const moved = Math.sign(three.moves[0] * z[0]);
  assert(moved !== 0);
  z.forEach((one, i) => {
    assertAlmostEquals(three.moves[i], moved * (i < 2 ? epsilon : ownEpsilon) * one, 1e-6);
  });
  const plus = qzoPlus({ epsilon, groups: { own: { epsilon: ownEpsilon } }, form: "absolute" });
  const { pace, reach } = trainedGroup(plus, "own")!;
  assertEquals(pace, reach);
});

Deno.test("groups: a form of their own", () => {
  const optimiser = mezo({ epsilon, learningRate, groups: { own: { form: "relative" } } });
  const session = new Session({ parameters: start, optimiser, seed: 3, tensors });
  const z = directionOf(3, "normal");
  const [plus] = session.ask();
  start.forEach((w, i) => {
    assertAlmostEquals(plus[i], i < 2 ? w + epsilon * z[i] : w * (1 + epsilon * z[i]), 1e-6);
  });
});

Deno.test("groups: a quadratic that one learning rate cannot descend is descended by two", async () => {
  // Curvatures of 1e4 and 1: what is stable for the first leaves the second where it is.
  const steep = ([a, b, c, d]: Float32Array) => 5e3 * (a * a + b * b) + 0.5 * (c * c + d * d);
  const reached = async (own: Record<string, { epsilon: number; learningRate: number }>) => {
    let found: Float32Array = new Float32Array();
    const optimiser = mezo({ epsilon: 1e-4, learningRate: 2e-5, groups: { own: {}, ...own } });
    const parameters = [0.01, -0.02, 3, -2];
    const run = minimise({ objective: steep, parameters, optimiser, tensors, steps: 400, seed: 1 });
    for await (const { session } of run) found = session.parameters();
    return Math.hypot(found[2], found[3]);
  };
  const [alike, apart] = [
    await reached({}),
    await reached({ own: { epsilon: 1e-2, learningRate: 0.1 } }),
  ];
  assert(alike > 3, `${alike}`);
  assert(apart < 0.1, `${apart}`);
});

/** Numbers as a search would try them: some digits, over many magnitudes. */
function* numbers(seed: number): Generator<number> {
  for (let state = seed;;) {
    state = (state * 1103515245 + 12345) % 2147483648;
    const magnitude = (state >> 8) % 7 - 6;
    yield (1 + (state >> 16) % 900 / 100) * 10 ** magnitude;
  }
}

Deno.test("groups: what an optimiser describes gives the same numbers, under every name", () => {
  const random = numbers(20261129);
  const next = () => random.next().value!;
  for (const name of optimiserNames) {
    // One tries steps, the others have no epsilon.
    const { tangents, exact } = namedOptimisers[name]().estimator;
    if (name === "zoSgdConservative" || tangents || exact) continue;
    for (let round = 0; round < 20; round++) {
      const optimiser = namedOptimisers[name]({
        epsilon: next() / 10,
        learningRate: round % 2 === 0 ? next() : linear(next(), { total: 100 }),
        groups: {
          lora: { epsilon: next() / 10, learningRate: next() },
          scales: { form: "relative" },
          norms: { learningRate: next() },
        },
      });
      const read = parseGroups(JSON.parse(JSON.stringify(optimiser.describe())).groups);
      assertEquals(read, [...optimiser.groups!]);
      const rule = withRule(optimiser, (own) => own);
      assertEquals(rule.groups, optimiser.groups);
    }
  }
});

Deno.test("groups: accumulated steps keep what the rule says of epsilon", () => {
  for (const base of [qzo, qzoNormalised]) {
    const optimiser = base({ groups });
    const held = withRule(optimiser, (rule) => accumulate(4, rule));
    assertEquals(held.groups, optimiser.groups);
  }
});

Deno.test("groups: refused by name", () => {
  const refused = (make: () => unknown, ...words: string[]) => {
    const { message } = assertThrows(make, RangeError);
    for (const word of words) assert(message.includes(word), message);
  };
  refused(() => zoSgdConservative({ groups }), "zoSgdConservative", "groups");
  refused(() => qzoPlus({ groups, gainPower: 0.5 }), "gains");
  refused(() => zoAdamW({ groups, state: "seeds" }), "weight decay");
  refused(() => mezo({ groups: { own: { epsilon: 0 } } }), 'group "own"', "epsilon");
  refused(() => mezo({ groups: { own: { epsilon: 1e25 } } }), "too far");
  refused(() => mezo({ learningRate: 0, groups }), "no multiple");
  refused(() => mezo({ groups: { own: { rate: 1 } as never } }), "rate");
  refused(() => mezo({ groups: { own: { form: "other" as never } } }), "form");
  assertThrows(
    () =>
      new Session({
        ...{ parameters: start, optimiser: mezo({ groups }) },
        tensors: [tensors[0], { ...tensors[1], group: "other" }],
      }),
    TypeError,
    'no group "other"',
  );
});

const optimiser = qzo({ groups: { lora: { epsilon: 1e-2, learningRate: 1e-4 } } });
const trainable: Trainable = {
  ...{ name: "a", id: 1, count: 4, form: "absolute", span: 1, rows: 1, columns: 4 },
  group: trainedGroup(optimiser, "lora"),
};
const header: LedgerHeader = {
  model: "2:" + "0".repeat(64),
  trainables: [trainable, { ...trainable, name: "b", id: 2, group: undefined }],
  optimiser: JSON.parse(JSON.stringify(optimiser.describe())),
  ...{ seed: 1, distribution: "normal", projection: "keep-sign", noiseVersion: NOISE_VERSION },
  ...{ directions: 1, stateSize: 0, data: null, created: "2026-11-29T00:00:00Z" },
};

Deno.test("groups: a ledger names the feature and gives every number back", () => {
  const { header: read } = decodeHeader(encodeHeader(header).bytes);
  assertEquals(read.features, ["groups"]);
  assertEquals(read.trainables[0].group, trainable.group);
  assertEquals(read.trainables[1].group, undefined);
  const { features } = encodeHeader({ ...header, trainables: header.trainables.slice(1) }).header;
  assertEquals(features, []);
});

Deno.test("groups: a ledger whose tensors say another group than its optimiser is refused", () => {
  const said = trainable.group!;
  for (
    const group of [
      { ...said, pace: said.pace * 2 },
      { ...said, name: "norms" },
      { ...said, reach: 0 },
      { ...said, rate: -1 },
      { ...said, pace: 0.1 },
    ]
  ) {
    const trainables = [{ ...trainable, group }];
    assertThrows(() => encodeHeader({ ...header, trainables }), SyntaxError, "group");
  }
});
