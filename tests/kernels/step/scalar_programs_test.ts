import { assert, assertEquals } from "@std/assert";
import {
  accumulate,
  batchPerDirection,
  chain,
  clipByQuantile,
  clipDerivative,
  decayOffsets,
  fzoo,
  kerzoo,
  lozo,
  meazo,
  mezo,
  mezoGreedy,
  mezoGv,
  normaliseByRms,
  oneSided,
  type Optimiser,
  optimiser,
  qzo,
  qzoNormalised,
  qzoPlus,
  rejectSpikes,
  roundCoefficient,
  scalarStep,
  scaleBySchedule,
  signDerivative,
  sparseZo,
  spsa,
  threePointDescent,
  zoAdam,
  zoAdamW,
  zoResidual,
  zoSgdMomentum,
  zoSgdSign,
} from "../../../optim/mod.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { normals, randomPacked } from "../bench.ts";
import { StepRig } from "../step_rig.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(12);

/** Distance in units in the last place. */
function ulps(a: number, b: number): number {
  const ordered = (value: number) => {
    const bits = new Int32Array(new Float32Array([value]).buffer)[0];
    return bits < 0 ? -(bits & 0x7fffffff) : bits;
  };
  return Math.abs(ordered(a) - ordered(b));
}

const named: readonly { rule: Optimiser; exact: boolean; first?: number }[] = [
  { rule: qzo({ clip: 3, learningRate: 1e-2 }), exact: true },
  { rule: qzo({ clip: Infinity, queries: 4 }), exact: true },
  { rule: mezo({ queries: 2, epsilon: 3e-3, learningRate: 0.3 }), exact: true },
  { rule: qzoNormalised({ queries: 3 }), exact: false },
  { rule: zoSgdSign({ queries: 2, learningRate: 1e-2 }), exact: true },
  { rule: threePointDescent({ epsilon: 0.01 }), exact: true },
  { rule: zoResidual({ learningRate: 1e-4 }), exact: true },
  { rule: qzoPlus({ queries: 4 }), exact: false },
  { rule: meazo({ queries: 2 }), exact: false },
  { rule: fzoo(), exact: false },
  {
    rule: zoSgdMomentum({ state: "seeds", queries: 2, length: 5, learningRate: 1e-2 }),
    // A driver may form a product of three in another order.
    exact: false,
  },
  { rule: zoAdam({ state: "seeds", length: 5, learningRate: 1e-2 }), exact: false },
  {
    rule: zoAdamW({ state: "seeds", length: 5, learningRate: 1e-2, weightDecay: 0.05 }),
    exact: false,
  },
  { rule: zoSgdMomentum({ queries: 2, learningRate: 1e-2 }), exact: true },
  { rule: zoAdam({ queries: 3, learningRate: 1e-2 }), exact: true },
  { rule: zoAdamW({ learningRate: 1e-2, projection: "keep-sign" }), exact: true },
  {
    rule: optimiser({
      name: "decaying",
      estimator: spsa({ epsilon: 0.5, queries: 3 }),
      transformations: [scaleBySchedule(1), decayOffsets(2 ** -6, { bits: 5, directions: 3 })],
      blocks: { by: "part" },
    }),
    exact: true,
  },
  { rule: sparseZo({ sparsity: 0.5, resample: 3, learningRate: 1e-2 }), exact: true },
  { rule: lozo({ rank: 5, resample: 3, learningRate: 1e-2 }), exact: true },
  { rule: kerzoo({ smoothness: 6, queries: 2, learningRate: 1e-2 }), exact: true },
  { rule: mezoGreedy({ queries: 3, learningRate: 1e-2 }), exact: true },
  { rule: mezoGv({ queries: 5, top: 2, learningRate: 1e-2 }), exact: false },
  {
    rule: sparseZo({ unit: "tensor", distribution: "rademacher", resample: 1, learningRate: 1e-2 }),
    exact: true,
  },
  {
    rule: optimiser({
      name: "guarded",
      estimator: spsa({ epsilon: 0.5, queries: 2 }),
      transformations: [
        rejectSpikes({ warmup: 2, threshold: 1 }),
        accumulate(3, chain(clipByQuantile(), scaleBySchedule(0.1)), { directions: 2 }),
      ],
    }),
    exact: false,
  },
  {
    rule: optimiser({
      name: "batches",
      estimator: spsa({ epsilon: 0.5, queries: 2 }),
      transformations: [
        batchPerDirection(3, chain(clipDerivative(0.1), scaleBySchedule(0.1)), { directions: 2 }),
      ],
    }),
    exact: true,
  },
  // Long enough to be written in loops.
  {
    rule: optimiser({
      name: "many batches",
      estimator: spsa({ epsilon: 0.5, queries: 2 }),
      transformations: [
        rejectSpikes({ warmup: 1000 }),
        batchPerDirection(512, chain(clipDerivative(0.1), scaleBySchedule(0.1)), { directions: 2 }),
      ],
    }),
    ...{ exact: false, first: 504 },
  },
  {
    rule: optimiser({
      name: "many normalised batches",
      estimator: spsa({ epsilon: 0.5 }),
      transformations: [
        batchPerDirection(512, chain(normaliseByRms(), clipByQuantile(), scaleBySchedule(0.1))),
      ],
    }),
    ...{ exact: false, first: 504 },
  },
  {
    rule: zoSgdMomentum({ state: "seeds", length: 1024, learningRate: 1e-2 }),
    exact: false,
  },
  { rule: zoAdam({ state: "seeds", length: 300, queries: 2, learningRate: 1e-2 }), exact: false },
  { rule: qzo({ clip: 3, queries: 128 }), exact: true },
  {
    rule: optimiser({
      name: "sign",
      estimator: oneSided({ queries: 3 }),
      transformations: [signDerivative(), clipDerivative(0.75), scaleBySchedule(1e-3)],
    }),
    exact: true,
  },
];

for (const { rule, exact, first = 0 } of named) {
  const title = `${rule.name} with ${rule.estimator.directions} directions`;
  Deno.test(`the scalar program of ${title} on the device is the host's`, async () => {
    const tensor = {
      name: "blk.0.attn_q.weight",
      packed: randomPacked(
        { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 },
        4,
        32,
        random,
      ),
    };
    using rig = new StepRig(gpu, rule, [tensor]);
    rig.first = first;
    const losses = Array.from(
      { length: 12 },
      () => [...normals(rule.estimator.branches.length, random, 0.2).map((v) => v + 2)],
    );
    losses.forEach((values, step) => rig.step(step, values));
    const records = await rig.records();
    let state: readonly number[] = rule.transformation.init();
    records.forEach((record, step) => {
      assertEquals(record.halted, false);
      assertEquals(record.losses, losses[step]);
      const host = scalarStep(rule, losses[step], state, rig.scalars(step));
      for (const key of ["derivatives", "coefficients", "state"] as const) {
        record[key].forEach((value, i) => {
          if (exact) assertEquals(value, host[key][i], `${key} of step ${step}`);
          // A rounded coefficient may fall on the other side: one unit of its 16 bits is 256 of f32.
          else {
            const slack = key === "coefficients" ? 512 : 16;
            const far = ulps(value, host[key][i]);
            assert(far <= slack, `${key} of step ${step}: ${value}, ${host[key][i]}: ${far} ulps`);
          }
        });
      }
      record.coefficients.forEach((c) => assertEquals(c, roundCoefficient(c)));
      state = record.state;
    });
    assert(new Set(records.map((r) => r.coefficients[0])).size > 1, "all steps were the same");
    await rig.assertReplays(records.map((r) => r.coefficients));
  });
}
