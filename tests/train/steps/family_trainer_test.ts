import { assert, assertEquals } from "@std/assert";
import { OffsetSet, offsetWidth, prepareOffsets, type StepRecord } from "../../../kernels/mod.ts";
import { packBatch, withSecond } from "../../../models/mod.ts";
import { planOffsets, type Selection } from "../../../train/selection.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import {
  applyRecord,
  blockPlace,
  blockwiseZo,
  dueBefore,
  masterSeed,
  moveSeeds,
  namedOptimisers,
  type Optimiser,
  type OptimiserName,
  optimiserNames,
  preparationsOf,
  tensorId,
  zoSgdConservative,
} from "../../../optim/mod.ts";
import { smallShape, textExamples } from "../../models/small_model.ts";
import { oneLayer, type TrainedModel, trainedModel } from "./trained_model.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const { vocabulary } = oneLayer;
const batchOf = (step: number) =>
  packBatch(textExamples(vocabulary, [5 + step % 3, 8]), "language-modelling", 512);

/** Enough to move something in ten steps, in units of each rule. */
const rates: Partial<Record<OptimiserName, number>> = {
  qzo: 1e-3,
  mezo: 1e-3,
  forwardGrad: 1e-3,
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

/** What is trained; steps of a run, and where it is broken off. */
const selections: Record<string, { selection: Selection; steps: number; broken: number }> = {
  scales: { selection: {}, steps: 10, broken: 4 },
  "gains of norms": { selection: { kinds: ["norms"] }, steps: 4, broken: 1 },
  "scales and norms of the MLP, and the unquantised embedding": {
    selection: {
      kinds: ["scales", "norms", "dense"],
      include: ["*ffn*", "token_embd.*"],
      exclude: [],
    },
    steps: 4,
    broken: 3,
  },
};

/** Offsets of a selection, with some gains where the optimiser wants them. */
function offsetsFor(rule: Optimiser, { model }: TrainedModel, selection?: Selection): OffsetSet {
  const wanted = { form: "relative", estimator: rule.estimator } as const;
  const { trainables } = planOffsets(model, wanted, gpu.maxBinding, selection);
  const gained = trainables.map((one, i) => ({ ...one, gain: [-2, 1, 0][i % 3] }));
  return new OffsetSet(rule.plan.gains ? gained : trainables, gpu.maxBinding).allocate(gpu);
}

// What takes gradients has records that do not replay: first_order_test.ts.
for (const name of optimiserNames.filter((one) => !namedOptimisers[one]().estimator.exact)) {
  Deno.test(`${name} trains on the device, whatever is selected, and its records replay to its bits, resumed or not`, async (t) => {
    using trained = await trainedModel(gpu, "int4_g32");
    const rule = namedOptimisers[name]({
      form: "relative",
      projection: "none",
      epsilon: 0.02,
      learningRate: rates[name] ?? 1e-2,
    });
    for (const [title, { selection, steps, broken }] of Object.entries(selections)) {
      await t.step(title, async () => {
        const run = async (parts: readonly (readonly [number, number])[]) => {
          using offsets = offsetsFor(rule, trained, selection);
          for (const due of dueBefore(preparationsOf(rule.plan), 0, 0)) {
            await prepareOffsets(gpu, due, offsets, trained.model.tensors);
          }
          const start = await offsets.read(gpu);
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
          return { records, start, found: await offsets.read(gpu) };
        };
        using shapes = offsetsFor(rule, trained, selection);
        const { records, start, found } = await run([[0, steps]]);
        assert(records.every((r) => !r.halted));
        assert(
          [...found].some(([tensor, values]) => values.some((w, i) => w !== start.get(tensor)![i])),
          "nothing moved",
        );
        const resumed = await run([[0, broken], [broken, steps]]);
        assertEquals(resumed.records, records);
        assertEquals(resumed.found, found);
        for (const [index, trainable] of shapes.trainables.entries()) {
          const values = found.get(trainable.name)!;
          const offsets = start.get(trainable.name)!;
          const state = Array.from(
            { length: rule.update?.stateSize ?? 0 },
            () => new Float32Array(values.length),
          );
          records.forEach(({ coefficients }, step) => {
            const seeds = moveSeeds(rule.plan, rule.estimator.directions, masterSeed(3), step);
            applyRecord(
              rule,
              { seeds, coefficients, inputs: rule.update?.inputs(step) ?? [] },
              {
                ...{ id: tensorId(trainable.name), offsets, state },
                place: blockPlace(trainable, index),
                width: offsetWidth(trainable),
                gain: trainable.gain,
              },
            );
          });
          assertEquals(
            new Uint32Array(values.slice().buffer),
            new Uint32Array(offsets.buffer),
            trainable.name,
          );
        }
      });
    }
  });
}

/** Counts waits for the device while `body` runs. */
async function waits(body: () => unknown): Promise<number> {
  const { prototype: buffer } = GPUBuffer;
  const { prototype: queue } = GPUQueue;
  const { mapAsync } = buffer;
  const { onSubmittedWorkDone } = queue;
  let count = 0;
  buffer.mapAsync = function (...args) {
    count++;
    return mapAsync.apply(this, args);
  };
  queue.onSubmittedWorkDone = function () {
    count++;
    return onSubmittedWorkDone.apply(this);
  };
  try {
    await body();
    return count;
  } finally {
    buffer.mapAsync = mapAsync;
    queue.onSubmittedWorkDone = onSubmittedWorkDone;
  }
}

Deno.test("no optimiser's step waits for the host: six are queued without a wait, and drained by one", async (t) => {
  // Two layers, for those that treat the first and the last differently.
  using trained = await trainedModel(gpu, "int4_g32", false, smallShape);
  for (const name of optimiserNames) {
    await t.step(name, async () => {
      const rule = namedOptimisers[name]({ form: "relative", projection: "none" });
      using offsets = offsetsFor(rule, trained);
      using trainer = new Trainer(trained.model, rule, offsets, { seed: 3 });
      const taken = (step: number) =>
        rule.estimator.batches ? withSecond(batchOf(step), batchOf(step + 6)) : batchOf(step);
      const queued = await waits(() => {
        for (let step = 0; step < 6; step++) trainer.enqueue(step, taken(step));
      });
      const drained = await waits(() => trainer.drain());
      assertEquals([queued, drained], [0, 1]);
    });
  }
});

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
