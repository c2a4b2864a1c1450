/**
 * Options of optimisers and of their parts: every value that an option cannot have is refused by its name, every one at its limits works.
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  accumulate,
  adam,
  adamFromSeeds,
  adamw,
  batchPerDirection,
  bestOf,
  centreByRunningMean,
  centred,
  clipByQuantile,
  clipDerivative,
  constant,
  contrastOf,
  cosine,
  decayOffsets,
  type DeclaredOption,
  emitScalarProgram,
  identity,
  limitToRms,
  linear,
  momentum,
  momentumFromSeeds,
  namedOptimisers,
  NonFiniteLossError,
  normaliseByRms,
  normaliseBySpread,
  onePoint,
  oneSided,
  type Optimiser,
  optimiser,
  optimiserNames,
  qzoNormalised,
  rejectSpikes,
  scalarStep,
  scaleByCurvature,
  scaleBySchedule,
  scaled,
  Session,
  type SessionTensor,
  signOfElement,
  spsa,
  threePoint,
} from "../../optim/mod.ts";

// deno-lint-ignore no-explicit-any -- options as a script without types gives them
type Any = any;

/** Values that an option cannot have, whatever it is. */
const EMPTY = {};
const NEVER: readonly unknown[] = [null, "qqzzx", [], NaN, -Infinity];

/** Values just beyond what a declaration allows. */
function beyond(option: DeclaredOption): unknown[] {
  if ("of" in option) return [3, true, option.of[0].toUpperCase(), ...option.or ? [] : [{}]];
  if ("flag" in option) return [0, "true", {}];
  const { min = 0, max = Infinity, above, below, whole, infinite, or } = option;
  return [
    ...[above ? min : min - Math.max(1, Math.abs(min)), ...or ? [] : [{}], true],
    ...below ? [max] : max < 2 ** 53 ? [max + Math.max(1, max)] : max < Infinity ? [2 * max] : [],
    ...whole ? [min + 0.5] : [],
    ...infinite ? [] : [Infinity],
  ];
}

/** The ends of what it allows. */
function within(option: DeclaredOption): unknown[] {
  if ("of" in option) return [...option.of];
  if ("flag" in option) return [true, false];
  const { min = 0, max = 100, above, below, infinite } = option;
  const lowest = above ? (min === 0 ? max / 1e6 : min * (1 + 1e-9)) : min;
  return [lowest, below ? max * (1 - 1e-9) : max, ...infinite ? [Infinity] : []];
}

/** Options whose largest values do not fit the defaults of others, and what is said of that. */
const UNFIT: Readonly<Record<string, RegExp>> = {
  queries: /^Cannot make an optimiser: a step may move along 1024 directions/,
  length: /^Cannot make an optimiser: a step may move along 1024 directions/,
  blockCount: /^Cannot make blocks: count must be/,
  top: /^Cannot make contrastOf: top must be/,
  bottom: /^Cannot make contrastOf: bottom must be/,
};

/** Two steps on a host, on a function of two parameters that is bounded, and the text for a device. */
function runs(made: Optimiser): void {
  for (let step = 0; step < 4; step++) {
    assert(made.transformation.inputs(step).map(Math.fround).every(Number.isFinite), made.name);
  }
  emitScalarProgram(made);
  if (made.estimator.exact) {
    // The gradient is of losses that a device computes.
    const { inputs, init } = made.transformation;
    const told = made.estimator.branches.map((_, b) => b === 0 ? 2 : 0.5);
    const { coefficients } = scalarStep(made, told, init(), inputs(0));
    assert(coefficients.every(Number.isFinite), `${made.name}: ${coefficients}`);
    return;
  }
  const tensors: SessionTensor[] = [
    { name: "q", count: 2, width: 1, layer: 0, part: "attention" },
    { name: "up", count: 2, width: 1, layer: 1, part: "mlp" },
  ];
  const session = new Session({ parameters: [1, 2, 3, 4], tensors, optimiser: made });
  for (let told = 0; told < 2; told++) {
    const step = session.tell(session.ask().map(([x, y]) => 2 + Math.sin(x) + Math.cos(y)));
    assert(step.coefficients.every(Number.isFinite), `${made.name}: ${step.coefficients}`);
  }
}

for (const name of optimiserNames) {
  Deno.test(`${name}: values that an option cannot have are refused by name, those at its limits work`, () => {
    const make: (options: Any) => Optimiser = namedOptimisers[name];
    const { shared, options } = namedOptimisers[name];
    const all: Readonly<Record<string, DeclaredOption>> = { ...shared, ...options };
    assertEquals(make.name, name);
    for (const [key, option] of Object.entries(all)) {
      for (const value of [...NEVER, ...beyond(option)]) {
        const error = assertThrows(() => make({ [key]: value }), `${key}: ${value}`);
        assert(error instanceof RangeError || error instanceof TypeError, `${error}`);
        assertStringIncludes(error.message, `Cannot make ${name}: ${key} must be`);
      }
      for (const value of within(option)) {
        const more = key === "length"
          ? { state: "seeds" }
          : key === "blocks"
          ? { blockCount: 2 }
          : {};
        try {
          runs(make({ ...more, [key]: value }));
        } catch (error) {
          // A rate that f32 holds may lead beyond it; that is a step's own error.
          if (key === "learningRate" && error instanceof NonFiniteLossError) continue;
          assert(error instanceof RangeError, `${key}: ${value}: ${error}`);
          assert(UNFIT[key]?.test(error.message), error.message);
        }
      }
    }
    assertThrows(() => make({ qqzzx: 1 }), RangeError, 'unknown option "qqzzx"');
    assertThrows(() => make({ learning_rate: 1 }), RangeError, 'did you mean "learningRate"?');
    runs(make({ learningRate: linear(0.5, { total: 3 }) }));
  });
}

/** Every part with options, and all of them at values that it takes. */
const PARTS: Readonly<
  Record<string, readonly [(options: Any) => unknown, Record<string, unknown>]>
> = {
  spsa: [spsa, { epsilon: 0.1, queries: 2 }],
  oneSided: [oneSided, { epsilon: 0.1, queries: 2 }],
  centred: [centred, { epsilon: 0.1, queries: 2, base: true }],
  onePoint: [onePoint, { epsilon: 0.1, queries: 2 }],
  threePoint: [threePoint, { epsilon: 0.1 }],
  bestOf: [bestOf, { epsilon: 0.1, candidates: 3 }],
  contrastOf: [contrastOf, { epsilon: 0.1, candidates: 4, top: 2, bottom: 2 }],
  normaliseByRms: [normaliseByRms, { decay: 0.9, floor: 1e-9 }],
  normaliseBySpread: [(o) => normaliseBySpread(3, o), { floor: 1e-9 }],
  limitToRms: [limitToRms, { decay: 0.9 }],
  centreByRunningMean: [centreByRunningMean, { queries: 3, decay: 0.9 }],
  scaleByCurvature: [scaleByCurvature, { epsilon: 0.1, queries: 2, decay: 0.9, largest: 1 }],
  rejectSpikes: [rejectSpikes, { threshold: 3, decay: 0.9, warmup: 4 }],
  clipByQuantile: [clipByQuantile, { quantile: 0.9, rate: 0.1 }],
  momentumFromSeeds: [momentumFromSeeds, { decay: 0.9, length: 4, directions: 2 }],
  adamFromSeeds: [adamFromSeeds, {
    decay: 0.9,
    length: 4,
    directions: 2,
    secondDecay: 0.9,
    epsilon: 1e-6,
  }],
  decayOffsets: [(o) => decayOffsets(1e-4, o), { bits: 8, directions: 2 }],
  accumulate: [(o) => accumulate(2, identity(), o), { directions: 2 }],
  batchPerDirection: [(o) => batchPerDirection(2, identity(), o), { directions: 2 }],
  adam: [adam, { learningRate: 0.1, decay: 0.9, secondDecay: 0.99, epsilon: 1e-8 }],
  adamw: [adamw, {
    learningRate: 0.1,
    decay: 0.9,
    secondDecay: 0.99,
    epsilon: 1e-8,
    weightDecay: 0.1,
  }],
  momentum: [momentum, { learningRate: 0.1, decay: 0.9 }],
  signOfElement: [signOfElement, { learningRate: 0.1 }],
  "a constant schedule": [(o) => constant(0.1, o), { warmup: 3 }],
  "a linear schedule": [(o) => linear(0.1, o), { total: 9, warmup: 3, end: 0.01 }],
  "a cosine schedule": [(o) => cosine(0.1, o), { total: 9, warmup: 3, end: 0.01 }],
};

for (const [name, [make, options]] of Object.entries(PARTS)) {
  Deno.test(`${name}: options that it does not have and values that they cannot have are refused by name`, () => {
    make(options);
    assertThrows(
      () => make({ ...options, qqzzx: 1 }),
      RangeError,
      `Cannot make ${name}: unknown option "qqzzx"`,
    );
    for (const [key, value] of Object.entries(options)) {
      for (
        const wrong of [...NEVER, -1, typeof value === "boolean" ? 1 : true, EMPTY, 1e-46, 1e46]
      ) {
        // A rate may be tiny, and a decay or share too.
        if (wrong === 1e-46 && /rate|decay|end|share|quantile/i.test(key)) continue;
        const error = assertThrows(() => make({ ...options, [key]: wrong }), `${key}: ${wrong}`);
        assert(error instanceof RangeError || error instanceof TypeError, `${error}`);
        const said = key === "learningRate" && wrong === EMPTY
          ? "a learning rate is a number or a schedule"
          : `Cannot make ${name}: ${key} must be`;
        assertStringIncludes(error.message, said);
      }
      const typed = key.length > 4 ? `${key}s` : undefined;
      if (typed) assertThrows(() => make({ [typed]: value }), Error, name);
    }
  });
}

Deno.test("values that are not options are refused by what they are", () => {
  const calls: (() => unknown)[] = [
    ...[0, -1, NaN, 1e-46, 1e46, "3" as Any].map((value) => () => clipDerivative(value)),
    ...[-1, NaN, 1e46, "3" as Any].flatMap((value) => [
      () => constant(value),
      () => linear(value, { total: 2 }),
      () => scaled(1, value),
    ]),
    ...["0.1", null, undefined, {}, []].map((value) => () => scaleBySchedule(value as Any)),
    ...[1, 2.5, NaN, "2" as Any].map((value) => () => accumulate(value, identity())),
    () => linear(1, {} as Any),
    () => centreByRunningMean({} as Any),
    () => optimiser({ name: "x", estimator: spsa(), transformation: [] } as Any),
  ];
  for (const call of calls) {
    const error = assertThrows(call);
    assert(error instanceof RangeError || error instanceof TypeError, `${call}: ${error}`);
    assert(error.message.startsWith("Cannot make "), `${call}: ${error}`);
  }
});

Deno.test("an epsilon beyond f32 is refused at the door, with the range that works", () => {
  assertThrows(
    () => qzoNormalised({ epsilon: 1e-46 }),
    RangeError,
    "Cannot make qzoNormalised: epsilon must be a number from 1e-18 to 1e18, not 1e-46",
  );
});
