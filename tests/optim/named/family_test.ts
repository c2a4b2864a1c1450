import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  accumulate,
  adam,
  batchPerDirection,
  blockwiseZo,
  chain,
  clipByQuantile,
  cosine,
  encodeHeader,
  encodeRecord,
  fzoo,
  type HostStep,
  identity,
  kerzoo,
  type LedgerHead,
  lozo,
  meazo,
  mezo,
  mezoGreedy,
  mezoGv,
  namedOptimisers,
  NOISE_VERSION,
  normaliseByRms,
  type Optimiser,
  optimiser,
  optimiserNames,
  qzo,
  qzoNormalised,
  qzoPlus,
  readLedger,
  rejectSpikes,
  scaleBySchedule,
  Session,
  sparseMezo,
  sparseZo,
  spsa,
  threePointDescent,
  zoAdam,
  zoAdamW,
  zoResidual,
  zoSgd,
  zoSgdConservative,
  zoSgdMomentum,
  zoSgdSign,
} from "../../../optim/mod.ts";
import { logistic, type Objective, quadratic, quantisedNet, rosenbrock } from "../objectives.ts";
import { sampled } from "../../support/sampled.ts";
import { random } from "../random.ts";
import { decodeHeader } from "../../../optim/ledger/ledger_header.ts";

const next = random(7);
const rows = Array.from({ length: 60 }, () => [next() - 0.5, next() - 0.5, next() - 0.5, 1]);
const labels = rows.map(([a, b], i) => a - b + 0.2 * Math.sin(i) > 0 ? 1 : -1);

const objectives: Record<string, { objective: Objective; start: number[] }> = {
  "quadratic of condition 1": { objective: quadratic([1, -2, 0.5, 3], 1), start: [0, 0, 0, 0] },
  "quadratic of condition 10": { objective: quadratic([1, 2, 0.5, 3], 10), start: [2, 1, 1, 2] },
  "quadratic of condition 100": { objective: quadratic([1, 2, 0.5, 3], 100), start: [2, 1, 1, 2] },
  "logistic regression": { objective: logistic(rows, labels), start: [0.5, -0.5, 0.5, -0.5] },
  "Rosenbrock": { objective: rosenbrock, start: [-1.2, 1] },
};

/** How far a loss must have come down from its start to the least that is known, by objective. */
const goals: Record<string, number> = {
  "quadratic of condition 1": 0.01,
  "quadratic of condition 10": 0.01,
  "quadratic of condition 100": 0.05,
  "logistic regression": 0.05,
  "Rosenbrock": 0.15,
};

const steps = 3000;
/** One forward a step, and a noisy one; a kernel of six times the variance: they are given more steps. */
const longer: Record<string, number> = { "one-point residual": 5, "kerzoo of order 4": 3 };
const fading = (peak: number, total = steps) => cosine(peak, { total });

/** Every composition, with a rate for those that multiply derivatives and the parameters' unit for those that normalise them. */
const family: Record<string, (rate: number, unit?: number) => Optimiser> = {
  qzo: (rate) => qzo({ projection: "none", learningRate: fading(rate) }),
  mezo: (rate) => mezo({ learningRate: fading(rate) }),
  zoSgd: (rate) => zoSgd({ learningRate: fading(rate), queries: 2 }),
  zoSgdMomentum: (rate) => zoSgdMomentum({ learningRate: fading(rate / 10) }),
  "zoSgdMomentum from seeds": (rate) =>
    zoSgdMomentum({ state: "seeds", learningRate: fading(rate / 10), length: 24 }),
  "one-point residual": (rate) =>
    zoResidual({ epsilon: 0.02, learningRate: fading(rate / 10, 5 * steps) }),
  sparseZo: (rate) =>
    sparseZo({ sparsity: 0.5, resample: 5, learningRate: fading(rate), distribution: "normal" }),
  lozo: (rate) => lozo({ learningRate: fading(rate) }),
  "sparseMezo of all": (rate) => sparseMezo({ sparsity: 0, learningRate: fading(rate) }),
  blockwiseZo: (rate) =>
    blockwiseZo({ blocks: { by: "tensor", count: 2 }, learningRate: fading(rate) }),
  "a batch for each of two directions": (rate) =>
    optimiser({
      name: "batches",
      estimator: spsa(),
      transformations: [
        batchPerDirection(2, scaleBySchedule(cosine(rate, { total: steps / 2 }))),
      ],
    }),
  kerzoo: (rate) => kerzoo({ learningRate: fading(rate / 2) }),
  "kerzoo of order 4": (rate) =>
    kerzoo({ smoothness: 4, learningRate: fading(rate / 4, 3 * steps) }),
  mezoGreedy: (rate) => mezoGreedy({ queries: 4, learningRate: fading(rate / 2) }),
  mezoGv: (rate) => mezoGv({ queries: 4, learningRate: fading(rate / 2) }),
  "zoSgd, accumulated": (rate) =>
    optimiser({
      name: "accumulated",
      estimator: spsa(),
      transformations: [accumulate(2, scaleBySchedule(cosine(rate, { total: steps / 2 })))],
    }),
  zoSgdSign: (_, unit = 1) => zoSgdSign({ learningRate: fading(0.03 * unit) }),
  zoAdam: (_, unit = 1) => zoAdam({ learningRate: fading(0.05 * unit) }),
  zoAdamW: (_, unit = 1) => zoAdamW({ learningRate: fading(0.05 * unit) }),
  "zoAdam, accumulated": (_, unit = 1) =>
    optimiser({
      name: "accumulated",
      estimator: spsa(),
      transformations: [accumulate(2, identity())],
      update: adam({ learningRate: cosine(0.05 * unit, { total: steps / 2 }) }),
    }),
  "zoAdam from seeds": (_, unit = 1) =>
    zoAdam({ state: "seeds", learningRate: fading(0.05 * unit), length: 24 }),
  "zoAdamW from seeds": (_, unit = 1) =>
    zoAdamW({ state: "seeds", learningRate: fading(0.05 * unit), length: 24 }),
  "zoSgdSign as released": (_, unit = 1) =>
    zoSgdSign({ asReleased: true, learningRate: fading(0.03 * unit) }),
  qzoPlus: (_, unit = 1) =>
    qzoPlus({
      form: "absolute",
      projection: "none",
      // No step is longer than twice this, times the learning rate.
      epsilon: 0.03 * unit,
      queries: 6,
      learningRate: fading(0.5),
    }),
  fzoo: (_, unit = 1) => fzoo({ learningRate: fading(0.05 * unit) }),
  meazo: (_, unit = 1) => meazo({ learningRate: fading(0.05 * unit) }),
  qzoNormalised: (_, unit = 1) =>
    qzoNormalised({ form: "absolute", projection: "none", learningRate: fading(0.05 * unit) }),
  zoSgdConservative: (rate) => zoSgdConservative({ learningRate: fading(2 * rate) }),
  threePointDescent: () => threePointDescent({ epsilon: 0.02, learningRate: fading(1) }),
  "guarded by spikes and quantile": (_, unit = 1) =>
    optimiser({
      name: "guarded",
      estimator: spsa(),
      transformations: [
        rejectSpikes({ threshold: 6 }),
        clipByQuantile(),
        normaliseByRms(),
        scaleBySchedule(fading(0.05 * unit)),
      ],
    }),
};

/** Learning rates of the rules that do not normalise: below the inverse of curvature times dimensions. */
const rates: Record<string, number> = {
  "quadratic of condition 1": 0.05,
  "quadratic of condition 10": 0.02,
  "quadratic of condition 100": 0.003,
  "logistic regression": 0.3,
  "Rosenbrock": 4e-4,
};

/** The least loss, by descent along the exact gradient. */
function least({ objective, start }: { objective: Objective; start: number[] }, rate: number) {
  let x = [...start];
  for (let i = 0; i < 20000; i++) {
    const g = objective.gradient(x);
    x = x.map((value, j) => value - rate * g[j]);
  }
  return objective.loss(x);
}

/** As two tensors, where those move in turns. */
function session(parameters: readonly number[], plan: Optimiser, seed: number): Session {
  const first = Math.floor(parameters.length / 2);
  const tensors = [first, parameters.length - first]
    .map((count, i) => ({
      name: `blk.${i}.attn_q.weight`,
      count,
      layer: i,
      part: "attention" as const,
    }));
  return new Session({ parameters, optimiser: plan, seed, ...plan.plan.blocks ? { tensors } : {} });
}

Deno.test("every named optimiser is in the table", () => {
  const made = new Set(Object.values(family).map((make) => make(0.01).name));
  // Functions have losses and no tangents or gradients: tests/train/steps has those that want them.
  const known = (name: typeof optimiserNames[number]) => {
    const { tangents, exact } = namedOptimisers[name]().estimator;
    return made.has(name) || tangents || exact;
  };
  assertEquals(optimiserNames.filter((name) => !known(name)), []);
});

/** A step, tried first where the optimiser tries. */
function stepOf(session: Session, loss: (x: ArrayLike<number>) => number): HostStep {
  const made = session.tell(session.ask().map(loss));
  return made.tried ? session.tell(session.ask().map(loss)) : made;
}

function run(objective: Objective, start: number[], plan: Optimiser, count: number): Session {
  const made = session(start, plan, 11);
  for (let step = 0; step < count; step++) stepOf(made, objective.loss);
  return made;
}

for (const [name, row] of Object.entries(objectives)) {
  const floor = least(row, rates[name] / 2);
  const before = row.objective.loss(row.start) - floor;
  Deno.test(`${name}: every composition comes down`, async (t) => {
    for (const [planName, make] of sampled(name, Object.entries(family), 1 / 2)) {
      await t.step(planName, () => {
        const made = run(
          row.objective,
          row.start,
          make(rates[name]),
          steps * (longer[planName] ?? 1),
        );
        const after = row.objective.loss(made.parameters()) - floor;
        assert(after < goals[name] * before, `${planName}: ${after / before} of the loss is left`);
      });
    }
  });
}

Deno.test("scales of a quantised net: every composition comes down", async (t) => {
  const { loss, start, teacher } = quantisedNet();
  assertEquals(loss(teacher), 0);
  const before = loss(start);
  for (const [planName, make] of sampled("net", Object.entries(family), 1 / 2)) {
    await t.step(planName, () => {
      const made = session(start, make(2e-4, 0.05), 4);
      const count = steps * (longer[planName] ?? 1);
      for (let step = 0; step < count; step++) stepOf(made, loss);
      const after = loss(made.parameters());
      assert(after < 0.05 * before, `${planName}: ${after / before} of the loss is left`);
    });
  }
});

function headOf(plan: Optimiser): LedgerHead {
  return encodeHeader({
    model: "toy",
    trainables: [],
    optimiser: plan.describe(),
    seed: 6,
    distribution: plan.distribution,
    projection: plan.projection,
    noiseVersion: NOISE_VERSION,
    directions: plan.estimator.directions,
    stateSize: plan.transformation.stateSize,
    data: null,
    created: "2026-01-01T00:00:00Z",
  });
}

for (const [name, make] of Object.entries(family)) {
  Deno.test(`${name} replays from its ledger, wherever it broke off, to the same bits`, () => {
    const plan = make(0.01);
    const { objective, start } = objectives["quadratic of condition 10"];
    const whole = session(start, plan, 6);
    const head = headOf(plan);
    const bytes = [...head.bytes];
    const made: HostStep[] = [];
    for (let step = 0; step < 50; step++) {
      const record = stepOf(whole, objective.loss);
      made.push(record);
      bytes.push(...encodeRecord(head, step, record.coefficients, record.state));
    }
    assert(whole.offsets.some((w) => w !== 0));
    for (const length of [0, 7, 50]) {
      const left = new Uint8Array(bytes.slice(0, head.bytes.length + length * head.recordSize + 1));
      const { records, header } = readLedger(left);
      assertEquals(header.optimiser, JSON.parse(JSON.stringify(plan.describe())));
      const resumed = session(start, plan, 6);
      for (const record of records) {
        assertEquals(record.seeds, made[record.step].seeds);
        resumed.replay(record);
      }
      assertEquals(resumed.step, length);
      while (resumed.step < 50) stepOf(resumed, objective.loss);
      assertEquals(
        new Uint32Array(resumed.offsets.buffer),
        new Uint32Array(whole.offsets.buffer),
      );
      assertEquals(resumed.state, whole.state);
    }
  });
}

Deno.test("ledgers name what a reader must know, and nothing else", () => {
  const features = (plan: Optimiser) => headOf(plan).header.features!.join(" ");
  const seeds = { state: "seeds" } as const;
  assertEquals([qzo(), mezo(), fzoo(), meazo()].map(features), ["", "", "", ""]);
  assertEquals([zoSgdMomentum(seeds), zoAdam(seeds)].map(features), ["directions", "directions"]);
  assertEquals([sparseZo(), blockwiseZo(), lozo(), sparseMezo()].map(features), [
    "directions mask",
    "directions blocks",
    "directions lowRank",
    "directions magnitude",
  ]);
  assertEquals([zoSgdMomentum(), zoAdam(), zoSgdSign()].map(features), [
    "update",
    "update",
    "update",
  ]);
  assertEquals(new DataView(headOf(qzo()).bytes.buffer).getUint32(8, true), 7);
});

Deno.test("hostile plans in a header are syntax errors", () => {
  const { header } = headOf(zoSgdMomentum({ state: "seeds" }));
  const optimiserJson = header.optimiser as Record<string, never>;
  const forged: [unknown, string][] = [
    [null, "not an object"],
    [{ hold: 0, memory: 1 }, "hold"],
    [{ hold: 1, memory: 1e9 }, "memory"],
    [{ hold: 1, memory: "x" }, "memory"],
    [{ hold: 1, memory: 2, mask: { density: 0 } }, "density"],
    [{ hold: 1, memory: 2, mask: { density: 0.5, unit: "layer" } }, "unit"],
    [{ hold: 1, memory: 2, mask: { density: 0.5 } }, "lacks mask"],
    [{ hold: 1, memory: 2, blocks: { by: "part" } }, "lacks blocks"],
    [{ hold: 1, memory: 2, blocks: { by: "layer", count: 1e6 } }, "count"],
    [{ hold: 1, memory: 2, lowRank: { rank: 2 } }, "lacks lowRank"],
    [{ hold: 1, memory: 2, rings: { count: 2 } }, "rings"],
    [{ hold: 1, memory: 2, mask: 0.5 }, "mask is 0.5"],
    [{ hold: 1, memory: 2, mask: { density: 0.5 }, lowRank: { rank: 2 } }, "mask and lowRank"],
    [{ hold: 1, memory: 2, magnitude: { density: 2 } }, "density"],
    [{ hold: 1, memory: 2, magnitude: { density: 0.5, keep: "x" } }, "keep"],
    [{ hold: 1, memory: 2, lowRank: { rank: 9 } }, "rank"],
    [{ hold: 1, memory: 2, lowRank: { rank: 2, keep: 0.5 } }, "keep"],
  ];
  for (const [directions, shown] of forged) {
    const value = { ...header, optimiser: { ...optimiserJson, directions: directions as never } };
    assertThrows(() => encodeHeader(value), SyntaxError, shown);
  }
  const sparse = headOf(sparseZo({ budget: "global" })).header;
  const shared = (share?: number) => ({
    name: "blk.0.attn_q.weight",
    id: 1,
    count: 4,
    form: "relative" as const,
    span: 32,
    rows: 4,
    columns: 32,
    ...(share === undefined ? {} : { share }),
  });
  for (
    const [of, share, shown] of [[sparse, undefined, "no share"], [sparse, 65537, "65537"], [
      header,
      1,
      "a share",
    ]] as const
  ) {
    assertThrows(() => encodeHeader({ ...of, trainables: [shared(share)] }), SyntaxError, shown);
  }
  assertEquals(encodeHeader({ ...sparse, trainables: [shared(9)] }).header.trainables, [shared(9)]);
  const steep = headOf(qzoPlus({ gainPower: 0.5 })).header;
  const gained = (gain?: number) => ({ ...shared(), ...(gain === undefined ? {} : { gain }) });
  for (
    const [of, gain, shown] of [[steep, undefined, "no gain"], [steep, 9, "-8 to 8"], [
      header,
      1,
      "a gain",
    ]] as const
  ) {
    assertThrows(() => encodeHeader({ ...of, trainables: [gained(gain)] }), SyntaxError, shown);
  }
  const written = encodeHeader({ ...steep, trainables: [gained(-3)] });
  assertEquals(decodeHeader(written.bytes).header.trainables, [gained(-3)]);
  assertEquals(
    written.header.features,
    ["directions", "gains"],
    "what reads ledgers without gains refuses these",
  );
  const wide = { ...header, directions: 64 };
  assertThrows(() => encodeHeader(wide), SyntaxError, "2048 directions");
  for (const version of [0, 2, 3, 4, 5]) {
    const relabelled = headOf(qzo()).bytes.slice();
    relabelled[8] = version;
    assertThrows(() => readLedger(relabelled), SyntaxError, "ledger header");
  }
  const own = { ...adam(), name: "mine" };
  const plan = optimiser({ name: "own", estimator: spsa(), update: own });
  assertThrows(() => headOf(plan), SyntaxError, '"mine" is not one of');
  const ruled = headOf(zoAdam()).header;
  const both = {
    ...ruled,
    optimiser: { ...ruled.optimiser as object, directions: { hold: 1, memory: 3 } },
  };
  assertThrows(() => encodeHeader(both as never), SyntaxError, "update rule cannot follow");
});

Deno.test("chains of chains with state, memory and losses are the flat chain", () => {
  const parts = () => [rejectSpikes({ warmup: 2 }), clipByQuantile(), normaliseByRms()];
  const memory = zoSgdMomentum({ state: "seeds", length: 4 }).transformation;
  const [a, b, c] = parts();
  const rules = [
    chain(a, b, c, memory),
    chain(a, chain(b, chain(c, memory))),
    chain(chain(a, b), chain(c, memory)),
  ];
  const { objective, start } = objectives["quadratic of condition 10"];
  const ends = rules.map((rule) => {
    const plan = optimiser({ name: "chained", estimator: spsa(), transformations: [rule] });
    assertEquals([plan.moves, plan.plan.memory], [4, 4]);
    return run(objective, start, plan, 40);
  });
  for (const end of ends) {
    assertEquals(end.offsets, ends[0].offsets);
    assertEquals(end.state, ends[0].state);
  }
});
