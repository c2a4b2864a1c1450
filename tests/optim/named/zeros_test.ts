/** Derivatives of exactly 0: a gradient of zeros, from which no rule learns a scale. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  accumulate,
  adam,
  adamw,
  applyRecord,
  clipByQuantile,
  constant,
  encodeHeader,
  encodeRecord,
  hostOps,
  identity,
  limitToRms,
  momentum,
  NOISE_VERSION,
  normaliseByRms,
  type Optimiser,
  optimiser,
  qzoPlus,
  readLedger,
  rejectSpikes,
  scaleByCurvature,
  scaleBySchedule,
  Session,
  spsa,
  tensorId,
  type Transformation,
  type UpdateRule,
  zoAdam,
  zoSgdMomentum,
} from "../../../optim/mod.ts";

const derivatives = [3, 0, 0, -1, 0, 2, 0];
/** Where torch's rules are after each, in f64, by their formulas in Python. */
const ofTorch: Record<string, { update: UpdateRule; offsets: number[] }> = {
  "SGD(lr=0.05, momentum=0.9)": {
    update: momentum({ learningRate: 0.05 }),
    offsets: [-0.15, -0.285, -0.4065, -0.46585, -0.519265, -0.6673385, -0.80060465],
  },
  "Adam(lr=0.05)": {
    update: adam({ learningRate: 0.05 }),
    offsets: [
      ...[-0.04999999983, -0.08350291238, -0.10940076086, -0.12032218554],
      ...[-0.12955327978, -0.15025043446, -0.16832534523],
    ],
  },
};

/** Losses that give a derivative with `spsa({ epsilon: 0.5 })`, along a Rademacher direction. */
const lossesOf = (derivative: number) => [1 + derivative / 2, 1 - derivative / 2];

for (const [name, { update, offsets }] of Object.entries(ofTorch)) {
  Deno.test(`${update.name} takes a derivative of 0 for a gradient of zeros, as torch.optim.${name}`, () => {
    const rule = optimiser({
      name: "one",
      estimator: spsa({ epsilon: 0.5 }),
      distribution: "rademacher",
      update,
    });
    // The sign of z changes from step to step: of the gradient d z only the size is the derivative's.
    const session = new Session({ parameters: [0], optimiser: rule });
    derivatives.forEach((d, step) => {
      const z = (session.ask()[0][0] - session.offsets[0]) / 0.5;
      session.tell(lossesOf(d * z));
      assertAlmostEquals(session.offsets[0], offsets[step], 1e-4);
    });
  });
}

Deno.test("weights decay where the gradient is 0, as in torch.optim.AdamW", () => {
  const rule = adamw({ learningRate: 0.05, weightDecay: 0.4 });
  const offsets = Float32Array.of(0.25);
  const state = [new Float32Array(1), new Float32Array(1)];
  const seeds = [[1, 2]] as const;
  const of = { law: { dense: "rademacher" }, form: "relative", projection: "none" } as const;
  applyRecord({ ...of, update: rule }, { seeds, coefficients: [0], inputs: rule.inputs(0) }, {
    ...{ id: 1, offsets, state },
  });
  assertAlmostEquals(offsets[0], 0.25 * (1 - 0.05 * 0.4), 1e-7);
});

Deno.test("state that is stored and state from seeds agree on an objective in steps", () => {
  for (const make of [zoSgdMomentum, zoAdam]) {
    const [stored, seeds] = (["stored", "seeds"] as const).map((state) => {
      const options = { learningRate: 0.02, distribution: "rademacher", epsilon: 0.3 } as const;
      // Nothing is cut off yet.
      const length = state === "seeds" ? { length: 64 } : {};
      return new Session({
        parameters: [0, 0, 0],
        optimiser: make({ ...options, state, ...length }),
        seed: 4,
      });
    });
    const loss = (w: ArrayLike<number>) =>
      Math.round(2 * (w[0] - 1) ** 2 + Math.abs(w[1] + w[2] - 1));
    let zeros = 0;
    for (let step = 0; step < 60; step++) {
      const losses = stored.ask().map(loss);
      if (losses[0] === losses[1]) zeros++;
      const before = stored.offsets.slice();
      stored.tell(losses);
      seeds.tell(losses);
      if (step > 0 && losses[0] === losses[1]) {
        assert(stored.offsets.some((w, i) => w !== before[i]));
      }
      stored.offsets.forEach((w, i) => assertAlmostEquals(w, seeds.offsets[i], 2e-3));
    }
    assert(zeros > 5 && zeros < 55, `${zeros} of 60`);
  }
});

Deno.test("steps that accumulate, and tensors out of turn, rest however the losses are", () => {
  const held = new Session({
    parameters: [0],
    optimiser: optimiser({
      name: "held",
      estimator: spsa({ epsilon: 0.5 }),
      distribution: "rademacher",
      transformations: [accumulate(2, identity())],
      update: momentum({ learningRate: 1 }),
    }),
  });
  const at = [1, 1, 0, 0, 0, 0].map((d) => {
    held.tell(lossesOf(d));
    return Math.abs(held.offsets[0]);
  });
  [0, 1, 1, 1.9, 1.9, 2.71].forEach((w, i) => assertAlmostEquals(at[i], w, 1e-4));
  const turns = new Session({
    parameters: [0, 0],
    tensors: [{ name: "q", count: 1, part: "attention" }, { name: "up", count: 1, part: "mlp" }],
    optimiser: optimiser({
      name: "turns",
      estimator: spsa({ epsilon: 0.5 }),
      distribution: "rademacher",
      blocks: { by: "part" },
      update: momentum({ learningRate: 1 }),
    }),
  });
  const sizes = [1, 1, 0, 0].map((d) => {
    turns.tell(lossesOf(d));
    return [...turns.offsets].map(Math.abs);
  });
  [[1, 0], [1, 1], [1.9, 1], [1.9, 1.9]].forEach((row, step) =>
    row.forEach((w, i) => assertAlmostEquals(sizes[step][i], w, 1e-4))
  );
});

function ledgerOf(rule: Optimiser, zeros: "move" | undefined, coefficients: readonly number[]) {
  const head = encodeHeader({
    model: "toy",
    trainables: [],
    optimiser: rule.describe(),
    seed: 0,
    distribution: rule.distribution,
    projection: rule.projection,
    noiseVersion: NOISE_VERSION,
    directions: 1,
    stateSize: rule.transformation.stateSize,
    ...(zeros ? { zeros } : {}),
    data: null,
    created: "2026-01-01T00:00:00Z",
  });
  const records = coefficients.map((c, step) => [...encodeRecord(head, step, [c], [])]);
  return readLedger(new Uint8Array([...head.bytes, ...records.flat()]));
}

Deno.test("ledgers of rules that rested at zeros replay as they were made, new ones as torch has it", () => {
  const rule = zoSgdMomentum({ learningRate: 1, distribution: "rademacher" });
  const moved = (zeros: "move" | undefined) => {
    const { head, records } = ledgerOf(rule, zeros, [-1, 0, 0]);
    const tensor = {
      id: tensorId("w"),
      offsets: new Float32Array(1),
      state: [new Float32Array(1)],
    };
    const session = new Session({ parameters: [0], optimiser: rule, tensorId: tensorId("w") });
    for (const record of records) {
      applyRecord({ ...rule, update: head.update }, record, tensor);
      session.replay(record);
    }
    assertEquals(session.offsets, tensor.offsets);
    return Math.abs(tensor.offsets[0]);
  };
  assertEquals(moved(undefined), 1);
  assertAlmostEquals(moved("move"), 1 + 0.9 + 0.81, 1e-6);
  const features = (zeros: "move" | undefined) => ledgerOf(rule, zeros, []).header.features;
  assertEquals([features(undefined), features("move")], [["update"], ["update", "zeros"]]);
});

/** What a rule makes of derivatives, step by step. */
function values(rule: Transformation, list: readonly number[], losses?: (d: number) => number[]) {
  let state: readonly number[] = rule.init().map(Math.fround);
  return list.map((d, step) => {
    const inputs = rule.inputs(step).map(Math.fround);
    const made = rule.update(hostOps, [Math.fround(d)], state, inputs, losses?.(d));
    state = made.state;
    assert([...made.values, ...state].every(Number.isFinite));
    return made.values[0];
  });
}

Deno.test("a running root mean square is that of the values that are not 0, wherever zeros stand", () => {
  for (const decay of [0, 0.5, 0.95, 0.99, 0.999]) {
    for (const pattern of [[0, 0, 0, 5], [5, 0], [0, 5, 5, 0, 0, 0, 0], [5]]) {
      const list = Array.from({ length: 400 }, (_, i) => pattern[i % pattern.length]);
      // All sizes are 5, so the normalised ones are 1, and none is limited.
      values(normaliseByRms({ decay }), list).forEach((value, i) =>
        assertAlmostEquals(value, Math.sign(list[i]), 2e-3)
      );
      values(limitToRms({ decay }), list).forEach((value, i) =>
        assertAlmostEquals(value, list[i], 1e-2)
      );
    }
  }
});

Deno.test("without zeros the rules are what they were: plain formulas", () => {
  const list = Array.from({ length: 100 }, (_, i) => 3 * Math.sin(i + 1) + 0.1);
  let moment = 0;
  values(normaliseByRms({ decay: 0.9 }), list).forEach((value, i) => {
    moment = 0.9 * moment + 0.1 * list[i] ** 2;
    assertAlmostEquals(value, list[i] / Math.sqrt(moment / (1 - 0.9 ** (i + 1))), 1e-5);
  });
});

Deno.test("the first size after zeros sets the quantile's threshold; zeros never lower it", () => {
  const zeros = new Array(50).fill(0);
  // Clipped at itself: not at all.
  assertEquals(values(clipByQuantile(), [...zeros, 7]).at(-1), 7);
  // After many zeros in between a value of the usual size passes whole.
  const usual = Array.from({ length: 300 }, (_, i) => i % 2 ? 7 : -3);
  assertEquals(values(clipByQuantile(), [...usual, ...new Array(3000).fill(0), 6]).at(-1), 6);
  // A step of several directions: zeros among them are no sizes.
  const rule = clipByQuantile();
  assertEquals(rule.update(hostOps, [0, 8, 0, -4], [0], rule.inputs(0)).values, [0, 6, 0, -4]);
});

Deno.test("an objective whose first derivatives are 0 is minimised as well as one without", () => {
  const left = (zeros: number, ...transformations: Transformation[]) => {
    const session = new Session({
      parameters: new Float32Array(40),
      seed: 3,
      optimiser: optimiser({
        name: "x",
        estimator: spsa({ epsilon: 0.05 }),
        distribution: "rademacher",
        transformations: [...transformations, scaleBySchedule(0.02)],
      }),
    });
    const loss = (p: Float32Array) => p.reduce((sum, x) => sum + (x - 1) ** 2, 0);
    for (let step = 0; step < zeros + 500; step++) {
      session.tell(step < zeros ? [1, 1] : session.ask().map(loss));
    }
    return loss(session.parameters());
  };
  for (const zeros of [0, 1, 40]) {
    const found = left(zeros, clipByQuantile());
    assert(found < 0.5, `${zeros} zeros: ${found}`);
    assert(left(zeros, rejectSpikes(), clipByQuantile({ quantile: 0.9 })) < 0.5);
  }
});

Deno.test("steps by curvature are not lengthened by zeros before them", () => {
  const made = (zeros: number) => {
    const rule = scaleByCurvature({ epsilon: 0.1, queries: 1, largest: 0.2 });
    const list = [...new Array(zeros).fill(0), 8];
    return values(rule, list, (d) => [3, 3 + d / 10]).at(-1)!;
  };
  // Of one step the bound holds, or what is known of the curvature: never more than `largest` an offset.
  for (const zeros of [0, 1, 100]) {
    assert(Math.abs(made(zeros)) <= 0.2 * 1.0001 && Math.abs(made(zeros)) > 1e-3, `${made(zeros)}`);
  }
  const session = new Session({ parameters: [0, 0], optimiser: qzoPlus({ form: "absolute" }) });
  for (let step = 0; step < 3; step++) session.tell(session.ask().map(() => 1));
  assertEquals([...session.offsets], [0, 0]);
});

Deno.test("a schedule of zero gradients still counts its moves", () => {
  const rule = momentum({ learningRate: constant(1, { warmup: 4 }) });
  assertEquals([0, 1, 2, 3].map((move) => rule.inputs(move)[0]), [0.25, 0.5, 0.75, 1]);
});
