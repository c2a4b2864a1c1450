/** First-order optimisers on the device: their steps are those of their rules on the gradient. */
import { assert, assertAlmostEquals, assertRejects } from "@std/assert";
import { Evaluator, loadModel, packBatch, quantizedSource } from "../../../models/mod.ts";
import {
  adam,
  elementOps,
  foAdam,
  forwardGrad,
  foSgd,
  type Optimiser,
} from "../../../optim/mod.ts";
import { finetune, type LedgerFile } from "../../../train/mod.ts";
import { planOffsets } from "../../../train/selection.ts";
import { planMemory } from "../../../train/steps/memory_plan.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { gradientOf } from "../../models/gradient_case.ts";
import {
  choiceExamples,
  ggufInMemory,
  smallShape,
  textExamples,
} from "../../models/small_model.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama } from "../../support/random_llama.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const selection = { kinds: ["scales", "norms"] } as const;
const dense = await ggufInMemory(smallShape, randomLlama(smallShape));
const source = quantizedSource(dense, { format: "Q4_0" });
const batch = packBatch(textExamples(smallShape.vocabulary, [20, 17]), "language-modelling", 64);

function offsetsOf(model: Awaited<ReturnType<typeof loadModel>>, rule: Optimiser) {
  return planOffsets(model, rule.form, gpu.maxBinding, selection).allocate(gpu);
}

Deno.test("foSgd moves along the gradient by the learning rate, foAdam as Adam does", async () => {
  using model = await loadModel(gpu, source);
  const rate = 0.01;
  const rule = adam({ learningRate: rate });
  for (const made of [foSgd({ learningRate: rate }), foAdam({ learningRate: rate })]) {
    using offsets = offsetsOf(model, made);
    using trainer = new Trainer(model, made, offsets, { seed: 1 });
    const state = new Map(offsets.trainables.map((t) => [t.name, Array(t.count).fill([0, 0])]));
    for (let step = 0; step < 3; step++) {
      const before = await offsets.read(gpu);
      const { slopes, loss } = await gradientOf(gpu, model, offsets, batch);
      trainer.enqueue(step, batch);
      const [record] = await trainer.drain();
      assertAlmostEquals(record.losses[0], loss, 1e-6);
      for (const [name, after] of await offsets.read(gpu)) {
        const g = slopes.get(name)!;
        const size = Math.hypot(...g) / Math.sqrt(g.length);
        assert(size > 0, name);
        after.forEach((w, i) => {
          if (!made.update) {
            assertAlmostEquals(
              w,
              before.get(name)![i] - rate * g[i],
              1e-4 * rate * (size + Math.abs(g[i])),
            );
            return;
          }
          const moved = rule.update(
            elementOps,
            before.get(name)![i],
            g[i],
            state.get(name)![i],
            rule.inputs(step),
          );
          state.get(name)![i] = moved.state;
          assertAlmostEquals(w, moved.offset, 1e-5);
        });
      }
    }
  }
});

Deno.test("foAdam halves what a few steps can; memory is as planned; a ledger is refused", async () => {
  const made = foAdam({ form: "relative", learningRate: 0.02 });
  const before = gpu.memory.current;
  using model = await loadModel(gpu, source);
  using offsets = offsetsOf(model, made);
  {
    using trainer = new Trainer(model, made, offsets, { seed: 1 });
    for (let step = 0; step < 2; step++) trainer.enqueue(step, batch);
    await trainer.drain();
    const { adapterClass, maxBinding } = gpu;
    const plan = planMemory(source, {
      ...{ optimiser: made, selection, adapterClass, maxBinding, shape: batch.shape },
    });
    for (const part of ["weights", "offsets", "activations", "optimiser", "scratch"] as const) {
      assert(gpu.memory.current[part] - before[part] === plan[part], part);
    }
  }
  const train = choiceExamples(smallShape.vocabulary, [9, 3, 14, 6]);
  const options = { model, optimiser: made, offsets, train, objective: "classification" } as const;
  const losses: number[] = [];
  for await (const event of finetune({ ...options, steps: 12, batchSize: 4 })) {
    if (event.type === "step") losses.push(event.loss);
  }
  assert(losses[11] < losses[0] / 2, `${losses}`);
  using evaluator = new Evaluator(model, offsets);
  const [{ loss }] = await evaluator.run([packBatch(train, "classification", 64)]);
  assert(loss < losses[11], `${loss}`);
  const ledger = {} as LedgerFile;
  await assertRejects(
    () => finetune({ ...options, steps: 1, ledger }).next(),
    TypeError,
    "ledger",
  );
});

Deno.test("the loss of a step along tangents is that of its value alone", async () => {
  using model = await loadModel(gpu, source);
  const made = forwardGrad({ queries: 2, learningRate: 0 });
  using offsets = offsetsOf(model, made);
  const train = textExamples(smallShape.vocabulary, [20, 17]);
  const steps = finetune({
    ...{ model, optimiser: made, offsets, train },
    objective: "language-modelling",
    steps: 1,
    batchSize: 2,
  });
  const events = await Array.fromAsync(steps);
  const step = events.find(({ type }) => type === "step")!;
  assert(step.type === "step" && step.losses.length === 3);
  assertAlmostEquals(step.loss, step.losses[0], 1e-12);
  using evaluator = new Evaluator(model, offsets);
  const [{ loss }] = await evaluator.run([batch]);
  assertAlmostEquals(step.loss, loss, 1e-5);
});
