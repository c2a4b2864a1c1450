import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  chain,
  clipDerivative,
  constant,
  cosine,
  elementwise,
  hostOps,
  identity,
  linear,
  normaliseByRms,
  oneSided,
  optimiser,
  type OptimiserOptions,
  qzo,
  qzoNormalised,
  scaleBySchedule,
  signDerivative,
  spsa,
  type Transformation,
} from "../../optim/mod.ts";
import { random } from "./random.ts";
import { scalarProgram } from "../../optim/steps/scalar_program.ts";

/** The values that a rule gives over some steps of the same random derivatives. */
function trace(rule: Transformation, steps = 50, directions = 2): (readonly number[])[] {
  const next = random(6);
  let state: readonly number[] = rule.init();
  return Array.from({ length: steps }, (_, step) => {
    const values = Array.from({ length: directions }, () => Math.fround((next() - 0.5) * 30));
    const result = rule.update(hostOps, values, state, rule.inputs(step).map(Math.fround));
    assertEquals(result.state.length, rule.stateSize);
    assertEquals(rule.inputs(step).length, rule.inputSize);
    state = result.state;
    return [...result.values, ...result.state];
  });
}

const clip = clipDerivative(9);
const normalise = normaliseByRms({ decay: 0.8 });
const rate = scaleBySchedule(linear(0.5, { total: 40, warmup: 4 }));

Deno.test("chain is associative and identity is neutral, in steps and in description", () => {
  const flat = chain(clip, normalise, rate);
  const rules = [
    chain(clip, chain(normalise, rate)),
    chain(chain(clip, normalise), rate),
    chain(identity(), clip, identity(), normalise, rate, identity()),
    chain(flat),
  ];
  for (const rule of rules) {
    assertEquals(trace(rule), trace(flat));
    assertEquals(rule.parameters, flat.parameters);
    assertEquals([rule.stateSize, rule.inputSize], [1, 2]);
  }
  assertEquals(trace(chain(clip)), trace(clip));
  assertEquals(identity().update(hostOps, [3, 4], [], []).values, [3, 4]);
});

Deno.test("the order of a chain matters: state and host scalars go to their own part", () => {
  const both = chain(normaliseByRms({ decay: 0.5 }), normalise, rate);
  assertEquals([both.stateSize, both.inputSize], [2, 3]);
  const byHand = trace(both, 3);
  assert(byHand.every((row) => row.length === 4));
  assert(JSON.stringify(trace(chain(rate, clip))) !== JSON.stringify(trace(chain(clip, rate))));
});

Deno.test("normaliseByRms follows its formula and forgets at its decay", () => {
  const decay = 0.8;
  let moment = 0;
  const next = random(6);
  trace(normaliseByRms({ decay })).forEach(([first, second, state], step) => {
    const values = [Math.fround((next() - 0.5) * 30), Math.fround((next() - 0.5) * 30)];
    moment = decay * moment + (1 - decay) * (values[0] ** 2 + values[1] ** 2) / 2;
    const rms = Math.sqrt(moment / (1 - decay ** (step + 1)));
    assertAlmostEquals(first, values[0] / rms, 1e-5);
    assertAlmostEquals(second, values[1] / rms, 1e-5);
    assertAlmostEquals(state / moment, 1, 1e-5);
  });
});

Deno.test("normaliseByRms does not care for the unit of the loss, and survives zeros", () => {
  const rule = normaliseByRms();
  const steps = (unit: number) => {
    let state: readonly number[] = rule.init();
    return [3, -1, 0.5, 80].map((d, step) => {
      const result = rule.update(hostOps, [Math.fround(d * unit)], state, rule.inputs(step));
      state = result.state;
      return result.values[0];
    });
  };
  steps(1).forEach((value, i) => assertAlmostEquals(value, steps(1024)[i], 1e-4));
  assertEquals(rule.update(hostOps, [0], [0], rule.inputs(0)).values, [0]);
});

Deno.test("schedules: warm-up, both ends, never outside them", () => {
  for (const make of [linear, cosine]) {
    const schedule = make(2, { total: 100, warmup: 10, end: 0.5 });
    assertAlmostEquals(schedule.at(0), 0.2);
    assertEquals(schedule.at(9), 2);
    assertEquals(schedule.at(10), 2);
    assertAlmostEquals(schedule.at(55), 1.25);
    assertEquals([schedule.at(100), schedule.at(1e6)], [0.5, 0.5]);
    for (let step = 11; step <= 100; step++) assert(schedule.at(step) <= schedule.at(step - 1));
    assertEquals(make(3, { total: 5, warmup: 5 }).at(4), 3);
  }
  assertEquals(constant(3).at(12345), 3);
});

Deno.test("arguments that make no sense are refused with what they were", () => {
  const refused: [() => unknown, string][] = [
    [() => spsa({ epsilon: 0 }), "0"],
    [() => spsa({ epsilon: NaN }), "NaN"],
    [() => spsa({ queries: 0 }), "0"],
    [() => spsa({ queries: 1.5 }), "1.5"],
    [() => oneSided({ epsilon: -1 }), "-1"],
    [() => clipDerivative(0), "0"],
    [() => normaliseByRms({ decay: 1 }), "1"],
    [() => normaliseByRms({ decay: NaN }), "NaN"],
    [() => normaliseByRms({ floor: 1e-30 }), "1e-30"],
    [() => constant(-1), "-1"],
    [() => linear(1, { total: 0 }), "0"],
    [() => cosine(1, { total: 10, warmup: 11 }), "11"],
    [() => qzo({ learningRate: Infinity }), "Infinity"],
    [() => optimiser({ name: "x", estimator: spsa(), form: "log" } as never), "log"],
    [() => optimiser({ name: "x", estimator: spsa(), projection: "no" } as never), "no"],
    [() => optimiser({ name: "x", estimator: spsa(), distribution: "" } as never), '""'],
  ];
  for (const [make, shown] of refused) assertThrows(make, RangeError, shown);
});

Deno.test("a step with missing losses, state or host scalars is refused", () => {
  const plan = qzoNormalised();
  assertThrows(() => scalarProgram(hostOps, plan, [1], [0], [1, 1]), TypeError, "1 losses");
  assertThrows(() => scalarProgram(hostOps, plan, [1, 2], [], [1, 1]), TypeError, "0 state");
  assertThrows(() => scalarProgram(hostOps, plan, [1, 2], [0], [1]), TypeError, "1 host");
});

Deno.test("descriptions are JSON and name every part", () => {
  const described = qzoNormalised({ learningRate: cosine(0.01, { total: 100 }) }).describe();
  assertEquals(JSON.parse(JSON.stringify(described)), {
    name: "qzoNormalised",
    estimator: { name: "spsa", parameters: { epsilon: 0.02, queries: 1 } },
    transformations: [
      { name: "normaliseByRms", parameters: { decay: 0.99, floor: 1e-8 } },
      { name: "clipDerivative", parameters: { threshold: 3 } },
      {
        name: "scaleBySchedule",
        parameters: { schedule: "cosine", peak: 0.01, total: 100, warmup: 0, end: 0 },
      },
    ],
    distribution: "normal",
    form: "relative",
    projection: "keep-sign",
  });
});

Deno.test("qzo has the paper's defaults", () => {
  const plain = qzo();
  const options: Partial<OptimiserOptions> = plain;
  assertEquals(options.form, "absolute");
  assertEquals(options.projection, "keep-sign");
  assertEquals(plain.estimator.branches, [
    { direction: 0, amplitude: 1e-3 },
    { direction: 0, amplitude: -1e-3 },
  ]);
  const { values } = plain.transformation.update(
    hostOps,
    [500],
    [],
    plain.transformation.inputs(0),
  );
  assertAlmostEquals(values[0], 100 * 1e-7, 1e-12);
  assertEquals(qzo({ clip: Infinity }).transformation.parts?.length, 1);
});

Deno.test("rules apply to every direction", () => {
  const double = elementwise("double", {}, (o, v) => o.add(v, v));
  assertEquals(chain(signDerivative(), double).update(hostOps, [5, -3, 0], [], []).values, [
    2,
    -2,
    0,
  ]);
  assertEquals(oneSided({ queries: 2, epsilon: 0.25 }).derivatives(hostOps, [1, 2, 0]), [4, -4]);
});
