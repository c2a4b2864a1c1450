import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  accumulate,
  chain,
  clipByQuantile,
  clipDerivative,
  elementwise,
  emitScalarProgram,
  fzoo,
  hostOps,
  meazo,
  mezo,
  normaliseByRms,
  oneSided,
  type Ops,
  type Optimiser,
  optimiser,
  qzo,
  qzoNormalised,
  rejectSpikes,
  scalarStep,
  scaleBySchedule,
  signDerivative,
  spsa,
  threePointDescent,
  WgslEmitter,
  zoAdam,
  zoResidual,
  zoSgdMomentum,
  zoSgdSign,
} from "../../../optim/mod.ts";
import { random } from "../random.ts";
import { type Environment, runLines } from "./wgsl_evaluator.ts";
import { wgslLiteral } from "../../../optim/algebra/wgsl_ops.ts";

/** Uses every operation of the algebra. */
function everything<T>(o: Ops<T>, a: T, b: T): T[] {
  const third = o.constant(1 / 3);
  return [
    o.add(a, b),
    o.sub(a, b),
    o.mul(a, b),
    o.div(a, o.add(o.abs(b), third)),
    o.neg(a),
    o.abs(a),
    o.min(a, b),
    o.max(a, b),
    o.sqrt(o.abs(a)),
    o.sign(b),
    o.less(a, b),
    o.select(o.less(a, b), third, b),
  ];
}

Deno.test("every operation means the same on the host and in the emitted text", () => {
  const o = new WgslEmitter();
  const results = everything(o, "a", "b");
  const next = random(1);
  for (let trial = 0; trial < 500; trial++) {
    const a = Math.fround((next() - 0.5) * 10 ** (next() * 12 - 6));
    const b = trial % 7 === 0 ? a : Math.fround((next() - 0.5) * 10 ** (next() * 12 - 6));
    const names: Environment = new Map([["a", a], ["b", b]]);
    runLines(o.lines, names);
    assertEquals(results.map((name) => names.get(name)), everything(hostOps, a, b));
  }
});

Deno.test("literals keep all bits", () => {
  const names: Environment = new Map();
  const values = [0, -0, 1, -1e-7, Math.fround(1 / 3), 3.4028234663852886e38, 2 ** -126];
  runLines(values.map((value, i) => `let x${i} = ${wgslLiteral(value)};`), names);
  values.forEach((value, i) => assert(Object.is(names.get(`x${i}`), Math.fround(value))));
  for (const value of [NaN, Infinity, 1e39]) {
    assertThrows(() => wgslLiteral(value), RangeError, String(value));
    assertThrows(() => hostOps.constant(value), RangeError, String(value));
  }
});

const optimisers: Record<string, Optimiser> = {
  qzo: qzo(),
  "qzo, three queries": qzo({ queries: 3, learningRate: 0.01 }),
  mezo: mezo(),
  qzoNormalised: qzoNormalised(),
  "qzoNormalised, four queries": qzoNormalised({ queries: 4 }),
  "one-sided, all rules": optimiser({
    name: "all",
    estimator: oneSided({ epsilon: 0.01, queries: 3 }),
    transformations: [
      clipDerivative(5),
      normaliseByRms({ decay: 0.9 }),
      elementwise(
        "shrink",
        {},
        (o, v) => o.select(o.less(o.abs(v), o.constant(0.1)), o.constant(0), v),
      ),
      normaliseByRms({ decay: 0.5 }),
      scaleBySchedule(0.1),
    ],
  }),
  zoSgdSign: zoSgdSign(),
  meazo: meazo(),
  fzoo: fzoo({ queries: 3 }),
  zoSgdMomentum: zoSgdMomentum({ state: "seeds", length: 5, queries: 2 }),
  zoAdam: zoAdam({ state: "seeds", length: 5 }),
  zoResidual: zoResidual(),
  threePointDescent: threePointDescent({ epsilon: 0.25 }),
  "spikes, quantile, accumulated": optimiser({
    name: "guarded",
    estimator: spsa({ epsilon: 0.5, queries: 2 }),
    transformations: [
      rejectSpikes({ warmup: 5, threshold: 1.5 }),
      accumulate(3, chain(clipByQuantile(), normaliseByRms(), scaleBySchedule(0.1)), {
        directions: 2,
      }),
    ],
  }),
  sign: optimiser({
    name: "sign",
    estimator: spsa(),
    transformations: [chain(signDerivative(), scaleBySchedule(1e-3))],
  }),
};

for (const [name, value] of Object.entries(optimisers)) {
  Deno.test(`${name}: the emitted program makes the host's steps, state carried over`, () => {
    const program = emitScalarProgram(value);
    const { transformation, estimator } = value;
    const next = random(2);
    let state = transformation.init().map(Math.fround);
    for (let step = 0; step < 200; step++) {
      const losses = estimator.branches.map(() => Math.fround(2 + next() * 10 ** (next() * 2 - 2)));
      const inputs = transformation.inputs(step).map(Math.fround);
      const names: Environment = new Map();
      losses.forEach((loss, i) => names.set(`losses[${i}]`, loss));
      state.forEach((scalar, i) => names.set(`state[${i}]`, scalar));
      inputs.forEach((scalar, i) => names.set(`inputs[${i}]`, scalar));
      runLines(program.lines, names);
      const host = scalarStep(value, losses, state, inputs, step);
      const read = (list: readonly string[]) => list.map((key) => names.get(key));
      assertEquals(read(program.derivatives), [...host.derivatives]);
      assertEquals(read(program.coefficients), [...host.coefficients]);
      assertEquals(read(program.state), [...host.state]);
      state = [...host.state];
    }
  });
}

Deno.test("names of losses, state and host scalars are the caller's", () => {
  const { lines } = emitScalarProgram(qzoNormalised(), {
    loss: (branch) => `sums[${branch}].x`,
    state: (index) => `old_${index}`,
    input: (index) => `step_inputs[slot + ${index}u]`,
  });
  const text = lines.join("\n");
  for (const name of ["sums[0].x", "sums[1].x", "old_0", "step_inputs[slot + 1u]"]) {
    assert(text.includes(name), name);
  }
});
