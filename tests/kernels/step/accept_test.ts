import { assert, assertEquals } from "@std/assert";
import {
  acceptBest,
  type Optimiser,
  optimiser,
  scalarStep,
  scaleBySchedule,
  spsa,
  zoSgdConservative,
} from "../../../optim/mod.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { normals, randomPacked } from "../bench.ts";
import { StepRig } from "../step_rig.ts";
import { acceptStep, candidateCoefficients } from "../../../optim/updates/accept.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(41);
const layout = { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 } as const;
const tensors = () => [
  { name: "blk.0.attn_q.weight", packed: randomPacked(layout, 131, 96, random) },
  { name: "blk.0.ffn_up.weight", packed: randomPacked(layout, 30, 64, random) },
];

const rules: Record<string, Optimiser> = {
  conservative: zoSgdConservative({ epsilon: 0.5, learningRate: 0.3 }),
  "masked, relative, a search": optimiser({
    name: "search",
    estimator: spsa({ epsilon: 0.5 }),
    transformations: [scaleBySchedule(0.3)],
    mask: { density: 0.4 },
    form: "relative",
    projection: "keep-sign",
    accept: acceptBest([1, 0, -2, 0.25]),
  }),
};

for (const [name, rule] of Object.entries(rules)) {
  Deno.test(`${name}: what is tried and what is accepted on the device are the host's`, async () => {
    using rig = new StepRig(gpu, rule, tensors(), 4096);
    const losses = Array.from({ length: 20 }, () => [...normals(rule.evaluations, random, 1)]);
    const chosen = new Set<number>();
    const expected: number[] = [];
    for (const [step, values] of losses.entries()) {
      rig.step(step, values);
      const host = scalarStep(rule, values.slice(0, 2), [], rig.scalars(step));
      const [proposed] = host.coefficients;
      expected.push(acceptStep(rule.accept!, proposed, values.slice(2), step));
      chosen.add(expected[step] / proposed);
      const [bytes] = await gpu.read([{ buffer: rig.trial.buffer }]);
      const [seed] = rig.seeds(step);
      candidateCoefficients(rule.accept!, proposed).forEach((coefficient, i) => {
        assertEquals([...new Uint32Array(bytes, i * 16, 2)], seed);
        assert(new Float32Array(bytes, i * 16 + 8, 1)[0] === coefficient);
      });
    }
    const records = await rig.records();
    assertEquals(records.map((r) => r.losses), losses);
    assertEquals(records.map((r) => [...r.coefficients]), expected.map((c) => [c]));
    assertEquals(chosen.size, rule.accept!.candidates.length);
    await rig.assertReplays(records.map((r) => r.coefficients));
  });
}

for (const bad of [0, 3]) {
  Deno.test(`a loss that is not finite halts a tried step: number ${bad}`, async () => {
    using rig = new StepRig(gpu, rules.conservative, tensors(), 4096);
    const losses = [1, 2, 3, 2, 4];
    rig.step(0, losses);
    rig.step(1, losses.map((loss, i) => i === bad ? NaN : loss));
    rig.step(2, losses);
    const records = await rig.records();
    assertEquals(records.map((r) => r.halted), [false, true, true]);
    assert(Number.isNaN(records[1].losses[bad]));
    await rig.assertReplays([records[0].coefficients]);
  });
}
