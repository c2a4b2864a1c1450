import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  accumulate,
  adam,
  adamw,
  applyRecord,
  constant,
  cosine,
  decayOffsets,
  elementOps,
  fillNoise,
  identity,
  linear,
  masterSeed,
  momentum,
  momentumFromSeeds,
  optimiser,
  scaled,
  Session,
  signOfElement,
  spsa,
  stepSeed,
  type UpdateRule,
  zoAdam,
  zoSgdMomentum,
  zoSgdSign,
} from "../../../optim/mod.ts";
import { quadratic } from "../objectives.ts";
import { random } from "../random.ts";
import { parseSchedule } from "../../../optim/transformations/schedule.ts";
import { describeUpdateRule } from "../../../optim/updates/update_rule.ts";
import { emitUpdateRule } from "../../../optim/updates/update_rule_wgsl.ts";
import { parseUpdateRule } from "../../../optim/updates/update_rules.ts";

/** Rows of gradients, and where torch 1.13 is after each, in f64 from 0. */
const gradients = [[3, -1e-3, 0], [-1, 2e-3, 5], [0.25, 4e-3, -7], [2, -1e-3, 0.5], [
  -0.5,
  0,
  1e-6,
]];
const ofTorch: Record<string, { rule: UpdateRule; offsets: number[][] }> = {
  "SGD(lr=0.05, momentum=0.9)": {
    rule: momentum({ learningRate: 0.05 }),
    offsets: [
      [-0.15, 5e-05, 0],
      [-0.235, -5e-06, -0.25],
      [-0.324, -0.0002545, -0.125],
      [-0.5041, -0.00042905, -0.0375],
      [-0.64119, -0.000586145, 0.04124995],
    ],
  },
  "Adam(lr=0.05)": {
    rule: adam({ learningRate: 0.05 }),
    offsets: [
      [-0.04999999983, 0.0499995, 0],
      [-0.07001092834, 0.03169443941, -0.03720684107],
      [-0.08795088629, -0.00309083674, -0.02792270113],
      [-0.11588940118, -0.02473024229, -0.02201767879],
      [-0.13568591086, -0.04302046515, -0.01702659158],
    ],
  },
  "AdamW(lr=0.05, weight_decay=0.4)": {
    rule: adamw({ learningRate: 0.05, weightDecay: 0.4 }),
    offsets: [
      [-0.04999999983, 0.0499995, 0],
      [-0.06901092834, 0.03069444941, -0.03720684107],
      [-0.08557066773, -0.00470471572, -0.02717856431],
      [-0.11179776926, -0.02625002697, -0.02072997069],
      [-0.12935832356, -0.04401524928, -0.01532428406],
    ],
  },
  "Adam(lr=0.05, betas=(0.8, 0.95), eps=1e-3)": {
    rule: adam({ learningRate: 0.05, decay: 0.8, secondDecay: 0.95, epsilon: 1e-3 }),
    offsets: [
      [-0.04998333889, 0.025, 0],
      [-0.06754820944, 0.01214614137, -0.03877872537],
      [-0.08322714874, -0.0153685249, -0.02660813144],
      [-0.1115782362, -0.03032889837, -0.01916725497],
      [-0.1294040906, -0.0417835076, -0.01324470256],
    ],
  },
};

for (const [name, { rule, offsets }] of Object.entries(ofTorch)) {
  Deno.test(`${rule.name} makes the steps of torch.optim.${name}`, () => {
    for (let element = 0; element < 3; element++) {
      let at = { offset: 0, state: new Array<number>(rule.stateSize).fill(0) as readonly number[] };
      gradients.forEach((row, step) => {
        const inputs = rule.inputs(step).map(Math.fround);
        at = rule.update(elementOps, at.offset, Math.fround(row[element]), at.state, inputs);
        assertAlmostEquals(at.offset, offsets[step][element], 2e-7, `${element} of step ${step}`);
      });
    }
  });
}

Deno.test("products are rounded by themselves, roots and quotients right to 2^-22", () => {
  const next = random(3);
  let worst = 0;
  for (let trial = 0; trial < 200_000; trial++) {
    const a = Math.fround((next() + 1e-9) * 2 ** Math.floor(next() * 120 - 60));
    const b = Math.fround((0.5 - next()) * 2 ** Math.floor(next() * 60 - 30));
    assertEquals(
      elementOps.mul(a, b),
      Math.abs(Math.fround(a * b)) < 2 ** -92 ? 0 : Math.fround(a * b),
    );
    if (b === 0) continue;
    for (
      const [found, wanted] of [
        [elementOps.sqrt(a), Math.sqrt(a)],
        [elementOps.div(a, b), a / b],
      ]
    ) {
      if (Math.abs(wanted) < 2 ** -91) continue;
      worst = Math.max(worst, Math.abs(found / wanted - 1) * 2 ** 22);
    }
  }
  assert(worst <= 1 && worst > 0.1, `${worst} of 2^-22`);
  assertEquals(elementOps.sqrt(0), 0);
  assertEquals(elementOps.mul(2 ** -50, -(2 ** -51)), 0);
});

/** Momentum or Adam with moments per element, in f64, from what a session saw. */
function oracle(
  kind: "momentum" | "adam" | "adamw",
  made: readonly { d: readonly number[]; z: readonly Float32Array[] }[],
): number[] {
  const n = made[0].z[0].length;
  const [m, v, w] = [0, 0, 0].map(() => new Array<number>(n).fill(0));
  made.forEach(({ d, z }, t) => {
    for (let i = 0; i < n; i++) {
      const g = d.reduce((sum, value, q) => sum + value * z[q][i] / d.length, 0);
      if (kind === "momentum") {
        m[i] = 0.9 * m[i] + g;
        w[i] -= 0.01 * m[i];
        continue;
      }
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      if (kind === "adamw") w[i] *= 1 - 0.01 * 0.5;
      w[i] -= 0.01 * m[i] / (1 - 0.9 ** (t + 1)) /
        (Math.sqrt(v[i] / (1 - 0.999 ** (t + 1))) + 1e-8);
    }
  });
  return w;
}

for (const kind of ["momentum", "adam", "adamw"] as const) {
  for (const distribution of ["normal", "rademacher"] as const) {
    Deno.test(`${kind} along ${distribution} directions is the oracle's in f64`, () => {
      const options = { learningRate: 0.01, queries: 3, distribution };
      const rule = kind === "momentum"
        ? zoSgdMomentum(options)
        : zoAdam({ ...options, weightDecay: kind === "adamw" ? 0.5 : 0 });
      const objective = quadratic([1, -2, 0.5, 3], 5);
      const session = new Session({ parameters: [0, 0, 0, 0], optimiser: rule, seed: 2 });
      const made = [];
      for (let step = 0; step < 150; step++) {
        const z = [0, 1, 2].map((q) =>
          fillNoise(distribution, stepSeed(masterSeed(2), step, q), 0, 0, new Float32Array(4))
        );
        made.push({ d: session.tell(session.ask().map(objective.loss)).derivatives, z });
      }
      const expected = oracle(kind, made);
      const size = Math.hypot(...expected);
      const error = Math.hypot(...expected.map((w, i) => w - session.offsets[i]));
      // Coefficients have 16 bits, each step's error is at most 2^-16 of its length.
      assert(error < 1e-4 * size && size > 0.5, `${error} of ${size}`);
    });
  }
}

Deno.test("signs are those of the sum of all directions", () => {
  const rule = zoSgdSign({ learningRate: 0.25, queries: 3, distribution: "normal" });
  const session = new Session({ parameters: new Float32Array(500), optimiser: rule, seed: 1 });
  const d = session.tell([1, 0, 0, 2, 3, 2.5]).derivatives;
  const z = [0, 1, 2].map((q) =>
    fillNoise("normal", stepSeed(masterSeed(1), 0, q), 0, 0, new Float32Array(500))
  );
  const sums = Array.from(
    { length: 500 },
    (_, i) => d.reduce((s, value, q) => s + value * z[q][i], 0),
  );
  assert(sums.some((sum) => sum === 0) && sums.some((sum) => sum > 0));
  assertEquals(
    [...session.offsets].map(Math.sign),
    sums.map((sum) => sum === 0 ? 0 : -Math.sign(sum)),
  );
  assert(session.offsets.every((w) => w === 0 || Math.abs(w) === 0.25));
});

Deno.test("accumulated steps are one step of the rule, its schedule and corrections included", () => {
  const update = adam({ learningRate: linear(0.05, { total: 40 }) });
  const estimator = spsa({ epsilon: 0.25 });
  const slow = new Session({
    parameters: [0, 0, 0],
    optimiser: optimiser({
      name: "slow",
      estimator,
      transformations: [accumulate(3, identity())],
      update,
    }),
  });
  const fast = new Session({
    parameters: [0, 0, 0],
    optimiser: optimiser({ name: "fast", estimator, update }),
  });
  const { loss } = quadratic([1, -2, 0.5], 3);
  for (let step = 0; step < 20; step++) {
    for (let batch = 0; batch < 3; batch++) slow.tell(slow.ask().map(loss));
    fast.tell(fast.ask().map(loss));
    slow.offsets.forEach((w, i) => assertAlmostEquals(w, fast.offsets[i], 1e-4));
  }
  assert(Math.abs(slow.offsets[1]) > 0.2);
});

Deno.test("a rule is read back from its description, and nothing else is", () => {
  const schedules = [
    constant(0.5, { warmup: 3 }),
    linear(0.5, { total: 10, warmup: 2, end: 0.1 }),
    cosine(0.5, { total: 9 }),
    scaled(cosine(0.5, { total: 9 }), 0.25),
  ];
  for (const learningRate of schedules) {
    for (
      const rule of [
        momentum({ learningRate, decay: 0.5 }),
        adam({ learningRate, epsilon: 1e-6 }),
        adamw({ learningRate, weightDecay: 0.3 }),
        signOfElement({ learningRate }),
      ]
    ) {
      const read = parseUpdateRule(JSON.parse(JSON.stringify(describeUpdateRule(rule))));
      assertEquals(describeUpdateRule(read), describeUpdateRule(rule));
      assertEquals(emitUpdateRule(read), emitUpdateRule(rule));
      for (const step of [0, 4, 30]) assertEquals(read.inputs(step), rule.inputs(step));
    }
  }
  const learningRate = { schedule: "constant", value: 1, warmup: 0 };
  const refused: [unknown, string][] = [
    [null, "undefined"],
    [{ name: "toString", parameters: {} }, "toString"],
    [{ name: "adam" }, "adam"],
    [{ name: "adam", parameters: {} }, "undefined"],
    [{ name: "momentum", parameters: { learningRate, decay: "0.5" } }, "0.5"],
    [{ name: "momentum", parameters: { learningRate, decay: 2 } }, "2"],
    [{ name: "momentum", parameters: { learningRate } }, "momentum"],
    [{ name: "adam", parameters: { learningRate, decay: 0.9, weightDecay: 1 } }, "weightDecay"],
    [{ name: "signOfElement", parameters: { learningRate: { schedule: "steps" } } }, "steps"],
    [
      { name: "signOfElement", parameters: { learningRate: { schedule: "linear", peak: 1 } } },
      "total",
    ],
  ];
  for (const [value, shown] of refused) {
    const error = assertThrows(() => parseUpdateRule(value), Error, shown);
    assert(error instanceof RangeError || error instanceof TypeError);
  }
  assertThrows(() => parseSchedule(3), TypeError, "3");
});

Deno.test("rules that make no sense are refused with what they were", () => {
  const update = adam();
  const estimator = spsa();
  const refused: [() => unknown, string][] = [
    [() => momentum({ decay: 1 }), "1"],
    [() => adam({ secondDecay: 0 }), "0"],
    [() => adam({ epsilon: 0 }), "0"],
    [() => adamw({ weightDecay: -1 }), "-1"],
    [() => zoAdam({ length: 8 }), "8"],
    [() => zoAdam({ state: "disk" as never }), "disk"],
    [
      () => optimiser({ name: "x", estimator, update, transformations: [momentumFromSeeds()] }),
      "adam keeps its own state",
    ],
    [
      () => optimiser({ name: "x", estimator, update, transformations: [decayOffsets(0)] }),
      "adam keeps its own state",
    ],
  ];
  for (const [make, shown] of refused) assertThrows(make, RangeError, shown);
  const seeds = [stepSeed(masterSeed(1), 0, 0)];
  const offsets = new Float32Array(4);
  for (
    const [inputs, state] of [
      [undefined, [offsets, offsets]],
      [[1, 1, 1], undefined],
      [[1, 1, 1], [offsets, new Float32Array(3)]],
    ] as const
  ) {
    assertThrows(
      () =>
        applyRecord(
          zoAdam(),
          { seeds, coefficients: [1], ...inputs ? { inputs } : {} },
          { id: 1, offsets, ...state ? { state } : {} },
        ),
      TypeError,
      "adam",
    );
  }
});
