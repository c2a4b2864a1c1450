/**
 * What is written is what is read: random compositions of every named optimiser, schedule and wrapper go through a ledger's header, and what
 * is read of them has the same numbers and replays to the same bits.
 */
import { assert, assertEquals } from "@std/assert";
import {
  accumulate,
  batchPerDirection,
  chain,
  clipByQuantile,
  constant,
  cosine,
  encodeHeader,
  encodeRecord,
  type ExtraOptions,
  identity,
  learningRateOf,
  linear,
  moveSeeds,
  namedOptimisers,
  type NamedOptions,
  NOISE_VERSION,
  type Optimiser,
  type OptimiserName,
  optimiserNames,
  readLedger,
  rejectSpikes,
  scaled,
  type Schedule,
  Session,
  withRule,
  zoAdam,
} from "../../../optim/mod.ts";
import { sampledNumbers } from "../../support/sampled.ts";
import { random } from "../random.ts";
import { describeDirections } from "../../../optim/directions/direction_plan.ts";
import { describeSchedule, parseSchedule } from "../../../optim/transformations/schedule.ts";
import { updateInputs } from "../../../optim/updates/update_rule.ts";

const steps = 200;
const next = random(20261129);
const chance = (share: number) => next() < share;
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)];
const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));

/** Any schedule there is, scaled up to four times. */
function randomSchedule(): Schedule {
  const peak = 10 ** (-1 - 3 * next());
  const total = between(5, 300);
  const warmup = chance(0.5) ? between(0, Math.min(total, 40)) : 0;
  const end = chance(0.5) ? peak * next() : 0;
  let schedule = pick([
    () => constant(peak, { warmup }),
    () => linear(peak, { total, warmup, end }),
    () => cosine(peak, { total, warmup, end }),
  ])();
  for (let depth = between(0, 4); depth > 0; depth--) {
    schedule = scaled(schedule, pick([0.1, 0.5, 1 / 3, 0.7, 1, 1.25]));
  }
  return schedule;
}

/** Arguments that an optimiser has, some of them given. */
function randomOptions(name: OptimiserName): NamedOptions & ExtraOptions {
  const { options, shared } = namedOptimisers[name];
  const state = pick(["stored", "seeds"] as const);
  const all: Partial<Record<keyof ExtraOptions, unknown>> = {
    clip: 5 * next() + 0.5,
    decay: 0.5 + 0.49 * next(),
    momentum: 0.5 + 0.49 * next(),
    state,
    weightDecay: next() / 10,
    sparsity: 0.2 + 0.6 * next(),
    resample: between(1, 60),
    rank: between(1, 4),
    take: pick(["small", "large"]),
    asReleased: chance(0.5),
    ...(name === "blockwiseZo" ? { blocks: pick(["part", "layer"]), blockCount: 2 } : {}),
  };
  const given = Object.fromEntries(
    Object.entries(all).filter(([key]) =>
      Object.hasOwn(options, key) && (chance(0.6) || key === "blockCount")
    ),
  );
  if (given.state === "seeds" && chance(0.5)) given.length = between(4, 20);
  if (given.blockCount && !given.blocks) delete given.blockCount;
  return {
    epsilon: 0.05,
    learningRate: randomSchedule(),
    form: pick(["absolute", "relative"]),
    projection: pick(["none", "keep-sign"]),
    ...(shared.queries.max !== 1 && chance(0.5) ? { queries: between(2, 3) } : {}),
    ...given,
  };
}

/** As it is, or with wrappers around its rule. */
function wrapped(base: Optimiser): Optimiser {
  const { directions } = base.estimator;
  const first = [...chance(0.3) ? [rejectSpikes()] : [], ...chance(0.3) ? [clipByQuantile()] : []];
  const kind = pick(["none", "accumulate", "batches"]);
  const { memory, hold, decays } = base.plan;
  if (base.accept || hold > 1) return base;
  return withRule(base, (rule) => {
    const batches = between(2, 4);
    if (kind === "accumulate") return chain(...first, accumulate(batches, rule, { directions }));
    if (kind === "batches" && memory === 1 && !decays && !base.update) {
      return chain(...first, batchPerDirection(batches, rule, { directions }));
    }
    return chain(...first, rule, identity());
  });
}

const tensors = [
  { name: "q", count: 12, width: 4, layer: 0, part: "attention" } as const,
  { name: "up", count: 8, width: 8, layer: 1, part: "mlp" } as const,
];
const parameters = Float32Array.from({ length: 20 }, (_, i) => 0.5 + (i * 7 % 11) / 5);
/** Smooth, but flat in places: many derivatives are exactly 0. */
const loss = (w: ArrayLike<number>, flat: boolean) => {
  let sum = 0;
  for (let i = 0; i < w.length; i++) sum += (w[i] - 1 - i / 20) ** 2;
  return flat ? Math.round(sum) : sum;
};

/** Finds everything in a description that is a schedule. */
function schedulesIn(value: unknown): Record<string, unknown>[] {
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Record<string, unknown>;
  const own = typeof fields.schedule === "string" ? [fields] : [];
  return [...own, ...Object.values(fields).flatMap(schedulesIn)];
}

function made(name: OptimiserName): Optimiser {
  for (;;) {
    const options = randomOptions(name);
    // What does not fit together is refused when it is made or first used; here only what runs matters.
    try {
      const rule = wrapped(namedOptimisers[name](options));
      for (let step = 0; step < steps; step++) rule.transformation.inputs(step);
      const session = new Session({ parameters, tensors, optimiser: rule });
      session.tell(session.ask().map((w) => loss(w, false)));
      return rule;
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    }
  }
}

function headOf(rule: Optimiser, seed: number) {
  return encodeHeader({
    ...{
      model: "toy",
      trainables: [],
      optimiser: rule.describe(),
      seed,
      noiseVersion: NOISE_VERSION,
    },
    ...{ distribution: rule.distribution, projection: rule.projection },
    ...{ directions: rule.estimator.directions, stateSize: rule.transformation.stateSize },
    ...(rule.update?.stateSize ? { zeros: "move" as const } : {}),
    ...{ data: null, created: "2026-01-01T00:00:00Z" },
  });
}

// Those that take gradients have no sessions, and no ledgers that replay.
for (const name of optimiserNames.filter((one) => !namedOptimisers[one]().estimator.exact)) {
  Deno.test(`${name}: what a header says of any composition has its numbers, and its ledger its bits`, () => {
    for (const trial of sampledNumbers(`described ${name}`, 6, 1)) {
      const rule = made(name);
      const said = JSON.stringify(rule.describe());
      const head = headOf(rule, trial);
      const session = new Session({ parameters, tensors, optimiser: rule, seed: trial });
      const bytes = [...head.bytes];
      try {
        while (session.step < steps) {
          const at = session.step;
          const step = session.tell(session.ask().map((w) => loss(w, trial % 2 === 1)));
          if (!step.tried) bytes.push(...encodeRecord(head, at, step.coefficients, step.state));
        }
      } catch (error) {
        // A rate drawn too large; what was made until then is compared.
        if (!(error instanceof Error && error.name === "NonFiniteLossError")) throw error;
      }
      const read = readLedger(new Uint8Array(bytes));
      const { plan, update } = read.head;
      assertEquals(describeDirections(plan), describeDirections(rule.plan), said);
      for (let step = 0; step < steps; step++) {
        const { directions } = rule.estimator;
        assertEquals(
          moveSeeds(plan, directions, trial, step),
          moveSeeds(rule.plan, directions, trial, step),
          said,
        );
        assertEquals(updateInputs({ update, plan }, step), updateInputs(rule, step), said);
      }
      const again = new Session({
        ...{ parameters, tensors, seed: trial },
        optimiser: { ...rule, plan, ...(update ? { update } : {}) },
      });
      for (const record of read.records) again.replay(record);
      assert(again.step === session.step && again.step > 0, said);
      assertEquals(
        new Uint32Array(again.offsets.buffer),
        new Uint32Array(session.offsets.buffer),
        said,
      );
      assertEquals(again.state, session.state, said);
    }
  });
}

Deno.test("every schedule in a description is read with its own numbers", () => {
  for (let trial = 0; trial < 300; trial++) {
    const schedule = randomSchedule();
    const read = parseSchedule(JSON.parse(JSON.stringify(describeSchedule(schedule))));
    for (let step = 0; step < steps; step++) assertEquals(read.at(step), schedule.at(step));
    assertEquals(describeSchedule(read), describeSchedule(schedule));
    const rule = zoAdam({ learningRate: schedule });
    const found = schedulesIn(JSON.parse(JSON.stringify(rule.describe())));
    assertEquals(found.length, 1);
    assertEquals(parseSchedule(found[0]).at(7), schedule.at(7));
  }
});

Deno.test("a schedule scaled twice is scaled by the product, in its numbers and in words", () => {
  const twice = scaled(scaled(constant(0.1), 0.5), 0.5);
  assertEquals(describeSchedule(twice), {
    ...{ schedule: "constant", value: 0.1, warmup: 0 },
    factor: 0.25,
  });
  assertEquals(twice.at(0), 0.25 * 0.1);
  const thrice = scaled(scaled(scaled(linear(1, { total: 4 }), 0.5), 3), 0.25);
  assertEquals([0, 1, 2, 3, 4].map((step) => thrice.at(step)), [
    0.375,
    0.28125,
    0.1875,
    0.09375,
    0,
  ]);
  assertEquals(learningRateOf(zoAdam({ learningRate: twice })), 0.25 * 0.1);
});
