import { assert, assertEquals } from "@std/assert";
import { OffsetSet, offsetWidth, openGpu, type StepRecord } from "../../kernels/mod.ts";
import { packBatch, planOffsets, Trainer } from "../../models/mod.ts";
import {
  applyRecord,
  blockPlace,
  blockwiseZo,
  masterSeed,
  moveSeeds,
  namedOptimisers,
  type OptimiserName,
  optimiserNames,
  tensorId,
  zoSgdConservative,
} from "../../optim/mod.ts";
import { textExamples } from "./small_model.ts";
import { oneLayer, trainedModel } from "./trained_model.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const { vocabulary } = oneLayer;
const batchOf = (step: number) =>
  packBatch(textExamples(vocabulary, [5 + step % 3, 8]), "language-modelling", 512);

/** Enough to move something in ten steps, in units of each rule. */
const rates: Partial<Record<OptimiserName, number>> = {
  qzo: 1e-3,
  mezo: 1e-3,
  zoSgd: 1e-3,
  zoSgdMomentum: 1e-3,
  sparseZo: 1e-3,
  lozo: 1e-3,
  sparseMezo: 1e-3,
  kerzoo: 1e-3,
  mezoGreedy: 1e-3,
  mezoGv: 1e-3,
  blockwiseZo: 1e-3,
  zoResidual: 1e-5,
  threePointDescent: 1,
};

for (const name of optimiserNames) {
  Deno.test(`${name} trains on the device, and its records replay to its bits, resumed or not`, async () => {
    using trained = await trainedModel(gpu, "int4_g32");
    const rule = namedOptimisers[name].make({
      form: "relative",
      projection: "none",
      epsilon: 0.02,
      learningRate: rates[name] ?? 1e-2,
    });
    const make = () => {
      const { trainables } = planOffsets(trained.model, "relative", gpu.maxBinding);
      const gained = trainables.map((one, i) => ({ ...one, gain: [-2, 1, 0][i % 3] }));
      return new OffsetSet(rule.plan.gains ? gained : trainables, gpu.maxBinding).allocate(gpu);
    };
    const run = async (parts: readonly (readonly [number, number])[]) => {
      using offsets = make();
      const records: StepRecord[] = [];
      for (const [from, to] of parts) {
        const state = records.at(-1)?.state;
        using trainer = new Trainer(trained.model, rule, offsets, {
          seed: 3,
          ...(state ? { state } : {}),
        });
        for (let step = from; step < to; step++) trainer.enqueue(step, batchOf(step));
        records.push(...await trainer.drain());
      }
      const found = await offsets.read(gpu);
      return { records, found };
    };
    using shapes = make();
    const { records, found } = await run([[0, 10]]);
    assert(records.every((r) => !r.halted));
    assert([...found.values()].some((values) => values.some((w) => w !== 0)), "nothing moved");
    const broken = await run([[0, 4], [4, 10]]);
    assertEquals(broken.records, records);
    assertEquals(broken.found, found);
    for (const [index, [tensor, values]] of [...found].entries()) {
      const offsets = new Float32Array(values.length);
      const state = Array.from(
        { length: rule.update?.stateSize ?? 0 },
        () => new Float32Array(values.length),
      );
      records.forEach(({ coefficients }, step) => {
        const seeds = moveSeeds(rule.plan, rule.estimator.directions, masterSeed(3), step);
        const place = blockPlace(tensor, index);
        const trainable = shapes.trainable(tensor)!;
        const width = offsetWidth(trainable);
        const record = { seeds, coefficients, inputs: rule.update?.inputs(step) ?? [] };
        const target = { id: tensorId(tensor), offsets, place, width, state, gain: trainable.gain };
        applyRecord(rule, record, target);
      });
      assertEquals(new Uint32Array(values.slice().buffer), new Uint32Array(offsets.buffer), tensor);
    }
  });
}

Deno.test("all blocks in a step: each is perturbed in its own branches alone", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  const rule = blockwiseZo({
    form: "relative",
    epsilon: 0.1,
    blocks: { by: "part", order: "all" },
  });
  const losses = async (include: string[]) => {
    using offsets = trained.offsets("relative", { include });
    using trainer = new Trainer(trained.model, rule, offsets, { seed: 3 });
    trainer.enqueue(0, batchOf(0));
    return (await trainer.drain())[0].losses;
  };
  const whole = await losses(["*"]);
  assert(whole[0] !== whole[1] && whole[2] !== whole[3]);
  // Attention alone, MLPs alone: branches of the block that is not trained see the base.
  const [attention, mlp] = [await losses(["*attn*"]), await losses(["*ffn*"])];
  assertEquals(attention[2], attention[3]);
  assertEquals(mlp[0], mlp[1]);
  assertEquals([...attention.slice(0, 2), ...mlp.slice(2)], [...whole]);
});

Deno.test("a conservative step lands where it looked: on one batch the next step stays at the lowest loss seen", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  for (const activationBytes of [2 ** 30, 1]) {
    for (const form of ["relative", "absolute"] as const) {
      const learningRate = form === "relative" ? 0.3 : 3e-3;
      const rule = zoSgdConservative({ form, epsilon: 0.02, learningRate });
      using offsets = trained.offsets(form);
      using trainer = new Trainer(trained.model, rule, offsets, { seed: 3, activationBytes });
      for (let step = 0; step < 20; step++) trainer.enqueue(step, batchOf(0));
      const records = await trainer.drain();
      const chosen = new Set<number>();
      records.forEach(({ losses, coefficients: [coefficient] }, step) => {
        const tried = losses.slice(2);
        const best = tried.indexOf(Math.min(...tried));
        chosen.add(best);
        assertEquals(coefficient === 0, best === 0);
        if (step > 0) assertEquals(losses[2], Math.min(...records[step - 1].losses.slice(2)));
      });
      assert(chosen.size > 1, "every step chose alike");
      assert(records[19].losses[2] < records[0].losses[2]);
    }
  }
});

Deno.test("only the block whose turn it is is perturbed", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  const rule = blockwiseZo({ form: "relative", epsilon: 0.1 });
  using offsets = trained.offsets("relative", { include: ["*ffn*"] });
  using trainer = new Trainer(trained.model, rule, offsets, { seed: 3 });
  for (let step = 0; step < 4; step++) trainer.enqueue(step, batchOf(step));
  const records = await trainer.drain();
  // Attention has its turn in steps 0 and 2, and none of it is trained.
  assertEquals(records.map(({ losses: [a, b] }) => a === b), [true, false, true, false]);
});
