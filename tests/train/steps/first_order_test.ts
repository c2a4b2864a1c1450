/** First-order optimisers on the device: their steps are those of their rules on the gradient. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Evaluator, loadModel, packBatch, quantizedSource } from "../../../models/mod.ts";
import {
  adam,
  elementOps,
  foAdam,
  forwardGrad,
  foSgd,
  mezo,
  type Optimiser,
} from "../../../optim/mod.ts";
import {
  finetune,
  type LedgerFile,
  optimiserOfConfig,
  parseTrainConfig,
} from "../../../train/mod.ts";
import { planOffsets } from "../../../train/selection.ts";
import { type MemoryPlanOptions, planMemory } from "../../../train/steps/memory_plan.ts";
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
    "stateFile",
  );
});

Deno.test("what is kept of the forward changes memory, which is as planned, and no bit", async () => {
  const { adapterClass, maxBinding } = gpu;
  const made = foAdam({ learningRate: 0.02 });
  const plan = (more: Partial<MemoryPlanOptions>) =>
    planMemory(source, {
      ...{ optimiser: made, selection, adapterClass, maxBinding, shape: batch.shape },
      ...more,
    });
  const taken: number[] = [];
  const found: ReadonlyMap<string, Float32Array>[] = [];
  for (const checkpoints of ["all", "block", 2] as const) {
    const before = gpu.memory.current.activations;
    using model = await loadModel(gpu, source);
    using offsets = offsetsOf(model, made);
    using trainer = new Trainer(model, made, offsets, { seed: 1, checkpoints });
    for (let step = 0; step < 3; step++) trainer.enqueue(step, batch);
    await trainer.drain();
    taken.push(gpu.memory.current.activations - before);
    assertEquals(taken.at(-1), plan({ checkpoints }).activations);
    found.push(await offsets.read(gpu));
  }
  assertEquals(found[1], found[0]);
  assertEquals(found[2], found[0]);
  const [all, block] = taken;
  assert(block < all, `${block} of ${all}`);
  // The plan chooses: all that fits.
  assertEquals(plan({}).checkpoints, "all");
  const tight = plan({ activationBytes: all - 1 - 4096 });
  assertEquals([tight.checkpoints, tight.activations], ["block", block]);
  assertEquals(
    planMemory(source, { optimiser: mezo(), selection, shape: batch.shape }).checkpoints,
    undefined,
  );
});

Deno.test("gradients are clipped by their norm over all that is trained", async () => {
  using model = await loadModel(gpu, source);
  const rate = 0.01;
  using offsets = offsetsOf(model, foSgd());
  const { slopes, loss } = await gradientOf(gpu, model, offsets, batch);
  const norm = Math.hypot(...[...slopes.values()].flatMap((g) => [...g]));
  for (const clipNorm of [norm / 4, norm * 2]) {
    const made = foSgd({ learningRate: rate, clipNorm });
    using moved = offsetsOf(model, made);
    using trainer = new Trainer(model, made, moved, { seed: 1 });
    trainer.enqueue(0, batch);
    const [record] = await trainer.drain();
    assertAlmostEquals(record.losses[0], loss, 1e-6);
    assertAlmostEquals(record.derivatives[0], norm, 1e-5 * norm);
    const factor = Math.min(1, clipNorm / norm);
    assertAlmostEquals(record.coefficients[0], -rate * factor, 1e-4 * rate);
    for (const [name, after] of await moved.read(gpu)) {
      const g = slopes.get(name)!;
      const size = Math.hypot(...g) / Math.sqrt(g.length);
      after.forEach((w, i) =>
        assertAlmostEquals(w, -rate * factor * g[i], 1e-4 * rate * (size + Math.abs(g[i])))
      );
    }
  }
});

Deno.test("accumulated batches move by the mean of their gradients, clipped as that", async () => {
  using model = await loadModel(gpu, source);
  const batches = [[20, 17], [9, 30], [12, 12]].map((lengths) =>
    packBatch(textExamples(smallShape.vocabulary, lengths), "language-modelling", 64)
  );
  using still = offsetsOf(model, foSgd());
  const found: ReadonlyMap<string, Float32Array>[] = [];
  for (const one of batches) found.push((await gradientOf(gpu, model, still, one)).slopes);
  const mean = new Map(
    [...found[0]].map(([name, g]) =>
      [name, g.map((_, i) => found.reduce((sum, one) => sum + one.get(name)![i], 0) / 3)] as const
    ),
  );
  const norm = Math.hypot(...[...mean.values()].flatMap((g) => [...g]));
  const rate = 0.01;
  for (const clipNorm of [norm / 2, 2 * norm]) {
    const of = (name: string) => `{name: ${name}, accumulate: 3, learning_rate: ${rate}`;
    const config = `model: a.gguf\nsteps: 30\noptimiser: ${of("foSgd")}, clip_norm: ${clipNorm}}`;
    const made = optimiserOfConfig(parseTrainConfig(config, "a.yaml"));
    using offsets = offsetsOf(model, made);
    using trainer = new Trainer(model, made, offsets, { seed: 1 });
    // Twice: the second move begins at zero again.
    for (let step = 0; step < 3; step++) trainer.enqueue(step, batches[step]);
    const records = await trainer.drain();
    assertEquals(records.map(({ coefficients: [c] }) => c !== 0), [false, false, true]);
    const factor = Math.min(1, clipNorm / norm);
    const first = await offsets.read(gpu);
    for (const [name, after] of first) {
      const g = mean.get(name)!;
      const size = Math.hypot(...g) / Math.sqrt(g.length);
      after.forEach((w, i) =>
        assertAlmostEquals(w, -rate * factor * g[i], 2e-4 * rate * (size + Math.abs(g[i])))
      );
    }
    for (let step = 3; step < 6; step++) trainer.enqueue(step, batches[step - 3]);
    await trainer.drain();
    for (const [name, after] of await offsets.read(gpu)) {
      const before = first.get(name)!;
      const moved = Math.hypot(...after.map((w, i) => w - before[i]));
      const size = Math.hypot(...before);
      assert(moved > 0.5 * size && moved < 1.5 * size, `${name}: ${moved}, then ${size}`);
    }
  }
});

Deno.test("a learning rate of a group's own is Adam's for its tensors", async () => {
  using model = await loadModel(gpu, source);
  const rate = 0.01;
  const made = foAdam({ learningRate: rate, groups: { norms: { learningRate: 5 * rate } } });
  using offsets = planOffsets(model, made, gpu.maxBinding, selection).allocate(gpu);
  using trainer = new Trainer(model, made, offsets, { seed: 1 });
  trainer.enqueue(0, batch);
  await trainer.drain();
  for (const [name, after] of await offsets.read(gpu)) {
    const wanted = name.includes("norm") ? 5 * rate : rate;
    const largest = after.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
    assertAlmostEquals(largest, wanted, 0.01 * wanted, name);
  }
  assertThrows(
    () => foAdam({ groups: { norms: { epsilon: 0.1 } } }),
    RangeError,
    "exactGradient looks nowhere",
  );
});

Deno.test("what means nothing to a gradient is refused by name", () => {
  const of = (more: string) => `model: a.gguf\nsteps: 30\noptimiser: {name: foAdam, ${more}}`;
  for (
    const [more, says] of [
      ["epsilon: 0.1", "optimiser.epsilon: 0.1: the gradients of foAdam are exact"],
      ["distribution: normal", "optimiser.distribution: normal"],
      ["tangents: true", "optimiser.tangents: true"],
      ["queries: 2", "optimiser.queries: 2"],
      ["batch_per_direction: 2", "use optimiser.accumulate"],
      ["accumulate: 2, reject_spikes: 3", "use optimiser.clip_norm"],
    ]
  ) {
    assertThrows(
      () => optimiserOfConfig(parseTrainConfig(of(more), "a.yaml")),
      RangeError,
      says,
    );
  }
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
