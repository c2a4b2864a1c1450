import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  type AdapterClass,
  type OffsetSet,
  openGpu,
  type PacingLimits,
  StepState,
} from "../../../kernels/mod.ts";
import { Evaluator, packBatch } from "../../../models/mod.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { recordStep } from "../../../train/steps/record_step.ts";
import {
  applyRecord,
  blockwiseZo,
  masterSeed,
  type Optimiser,
  qzo,
  qzoNormalised,
  qzoPlus,
  scalarStep,
  stepSeed,
  tensorId,
} from "../../../optim/mod.ts";
import { offsetBases } from "../../kernels/step_rig.ts";
import { oracleLoss, textExamples } from "../../models/small_model.ts";
import { oneLayer, type TrainedModel, trainedModel } from "./trained_model.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const { vocabulary } = oneLayer;
const examplesOf = (step: number) => textExamples(vocabulary, [5 + step % 3, 8]);
const batchOf = (step: number) => packBatch(examplesOf(step), "language-modelling", 512);

/** The offsets after steps with these coefficients, on the host. */
function replayed(
  trained: TrainedModel,
  offsets: OffsetSet,
  rule: Optimiser,
  seed: number,
  coefficients: readonly (readonly number[])[],
): Map<string, Float32Array> {
  return new Map(offsets.trainables.map(({ name, count }) => {
    const values = new Float32Array(count);
    const base = offsetBases(trained.packed.get(name)!, count);
    coefficients.forEach((c, step) => {
      const seeds = c.map((_, d) => stepSeed(masterSeed(seed), step, d));
      applyRecord(rule, { seeds, coefficients: c }, { id: tensorId(name), offsets: values, base });
    });
    return [name, values];
  }));
}

const bits = (offsets: ReadonlyMap<string, Float32Array>) =>
  new Map([...offsets].map(([name, values]) => [name, new Uint32Array(values.slice().buffer)]));

for (const form of ["absolute", "relative"] as const) {
  Deno.test(`steps on ${form} offsets leave the bits of a replay of their records`, async () => {
    using trained = await trainedModel(gpu, "int4_g32");
    using offsets = trained.offsets(form);
    const rule = qzoNormalised({ form, queries: 2, epsilon: 1e-3, learningRate: 0.05 });
    using trainer = new Trainer(trained.model, rule, offsets, { seed: 3 });
    const records = [];
    for (const chunk of [[0], [1, 2, 3], [4, 5]]) {
      for (const step of chunk) trainer.enqueue(step, batchOf(step));
      assertEquals(trainer.queued, chunk.length);
      records.push(...await trainer.drain());
    }
    assertEquals(records.map((r) => r.halted), Array(6).fill(false));
    assertEquals(await trainer.drain(), []);
    const found = await offsets.read(gpu);
    assert([...found.values()].every((values) => values.some((w) => w !== 0)), "nothing moved");
    const coefficients = records.map((r) => r.coefficients);
    assertEquals(bits(found), bits(replayed(trained, offsets, rule, 3, coefficients)));
  });
}

/** The bits after steps on a device of its own, paced like that; how many submissions it took. */
async function stepsPaced(
  pacing: PacingLimits,
  adapterClass: AdapterClass,
): Promise<{ found: ReturnType<typeof bits>; submissions: number; loss: number }> {
  using own = await openGpu({ pacing });
  Object.defineProperty(own, "adapterClass", { value: adapterClass });
  using trained = await trainedModel(own, "int4_g32");
  using offsets = trained.offsets("relative");
  const rule = qzoNormalised({ queries: 2, epsilon: 1e-3, learningRate: 0.05 });
  using trainer = new Trainer(trained.model, rule, offsets, { seed: 3 });
  let submissions = 0;
  const { queue } = own.device;
  const submit = queue.submit.bind(queue);
  queue.submit = (buffers) => {
    submissions++;
    submit(buffers);
  };
  for (let step = 0; step < 6; step++) trainer.enqueue(step, batchOf(step));
  const records = await trainer.drain();
  using evaluator = new Evaluator(trained.model, offsets);
  const [{ loss }] = await evaluator.run([batchOf(1)]);
  assertEquals(records.map((r) => r.halted), Array(6).fill(false));
  return { found: bits(await offsets.read(own)), submissions, loss };
}

for (const adapterClass of ["software", "hardware"] as const) {
  Deno.test(`steps on ${adapterClass} leave the same bits however short dispatches and submissions are kept`, async () => {
    const whole = await stepsPaced({ dispatch: 1e9, submission: 1e9 }, adapterClass);
    // 2e7 multiply-adds a millisecond are assumed at first: a few thousand a dispatch.
    const split = await stepsPaced({ dispatch: 1e-4, submission: 1e-3 }, adapterClass);
    assertEquals(split.found, whole.found);
    assertEquals(split.loss, whole.loss);
    assert(split.submissions > 5 * whole.submissions, `${split.submissions} submissions`);
  });
}

Deno.test("two steps are what the host computes with the oracle", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  using offsets = trained.offsets("relative");
  const epsilon = 0.02;
  const rule = qzo({ form: "relative", epsilon, learningRate: 3e-3, clip: 5 });
  using trainer = new Trainer(trained.model, rule, offsets, { seed: 12 });
  const coefficients: number[][] = [];
  for (let step = 0; step < 2; step++) {
    const at = replayed(trained, offsets, rule, 12, coefficients);
    const seed = stepSeed(masterSeed(12), step, 0);
    const losses: number[] = [];
    for (const { amplitude } of rule.estimator.branches) {
      const noise = { law: rule.law, seed, amplitude };
      const weights = await trained.weights(offsets.trainables, at, noise);
      losses.push(oracleLoss(oneLayer, weights, examplesOf(step), "language-modelling"));
    }
    const host = scalarStep(rule, losses, [], rule.transformation.inputs(step));
    trainer.enqueue(step, batchOf(step));
    const [record] = await trainer.drain();
    assertAlmostEquals(record.coefficients[0], host.coefficients[0], 3e-3 * 4e-5 / (2 * epsilon));
    coefficients.push([...record.coefficients]);
  }
});

Deno.test("training lowers the loss that it trains on", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  using offsets = trained.offsets("relative");
  const batch = batchOf(0);
  using evaluator = new Evaluator(trained.model, offsets);
  const [before] = await evaluator.run([batch]);
  const rule = qzoNormalised({ learningRate: 0.02, queries: 4 });
  using trainer = new Trainer(trained.model, rule, offsets, { seed: 1 });
  for (let step = 0; step < 40; step++) trainer.enqueue(step, batch);
  const records = await trainer.drain();
  const [after] = await evaluator.run([batch]);
  assert(records.every((r) => !r.halted));
  assert(after.loss < before.loss - 0.3, `from ${before.loss} to ${after.loss}`);
  using base = new Evaluator(trained.model);
  assertEquals((await base.run([batch]))[0].loss, before.loss, "the base changed");
});

Deno.test("a loss that is not finite halts the steps behind it, drained or not", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  using offsets = trained.offsets("relative");
  const rule = qzoNormalised();
  using trainer = new Trainer(trained.model, rule, offsets, { seed: 2 });
  trainer.enqueue(0, batchOf(0));
  const [fine] = await trainer.drain();
  assertEquals(fine.halted, false);
  const good = await offsets.read(gpu);
  const name = "blk.0.attn_q.weight";
  const poisoned = good.get(name)!.slice().fill(NaN);
  offsets.write(gpu, new Map([[name, poisoned]]));
  const before = await offsets.read(gpu);
  trainer.enqueue(1, batchOf(1));
  trainer.enqueue(2, batchOf(2));
  const halted = await trainer.drain();
  assertEquals(halted.map((r) => r.halted), [true, true]);
  assert(!Number.isFinite(halted[0].losses[0]));
  assertEquals(bits(await offsets.read(gpu)), bits(before));
  offsets.write(gpu, good);
  trainer.enqueue(3, batchOf(3));
  assertEquals((await trainer.drain())[0].halted, true, "only a new trainer goes on");
  assertEquals(bits(await offsets.read(gpu)), bits(good));
});

Deno.test("two fine-tunes of one base do not see each other", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  const rule = qzoNormalised({ learningRate: 0.01 });
  const run = async (seed: number, offsets: OffsetSet) => {
    using trainer = new Trainer(trained.model, rule, offsets, { seed });
    for (let step = 0; step < 4; step++) trainer.enqueue(step, batchOf(step));
    return await trainer.drain();
  };
  using alone = trained.offsets("relative");
  const expected = await run(5, alone);
  using one = trained.offsets("relative");
  using other = trained.offsets("relative");
  using a = new Trainer(trained.model, rule, one, { seed: 5 });
  using b = new Trainer(trained.model, rule, other, { seed: 6 });
  for (let step = 0; step < 4; step++) {
    a.enqueue(step, batchOf(step));
    b.enqueue(step, batchOf(step));
  }
  assertEquals(await a.drain(), expected);
  await b.drain();
  assertEquals(bits(await one.read(gpu)), bits(await alone.read(gpu)));
  using first = new Evaluator(trained.model, one);
  using second = new Evaluator(trained.model, other);
  const batch = batchOf(0);
  const losses = [(await first.run([batch]))[0].loss, (await second.run([batch]))[0].loss];
  assert(losses[0] !== losses[1], "both see the same offsets");
});

Deno.test("a run goes on from its state to the bits of never having stopped", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  const rule = qzoNormalised({ learningRate: 0.01 });
  using whole = trained.offsets("relative");
  using parts = trained.offsets("relative");
  using once = new Trainer(trained.model, rule, whole, { seed: 5 });
  for (let step = 0; step < 4; step++) once.enqueue(step, batchOf(step));
  const expected = await once.drain();
  let state: readonly number[] | undefined;
  const found = [];
  for (const steps of [[0, 1], [2, 3]]) {
    using trainer = new Trainer(trained.model, rule, parts, { seed: 5, state });
    for (const step of steps) trainer.enqueue(step, batchOf(step));
    found.push(...await trainer.drain());
    state = found.at(-1)!.state;
  }
  assertEquals(found, expected);
  assertEquals(bits(await parts.read(gpu)), bits(await whole.read(gpu)));
});

Deno.test("more steps than the records have room for are refused until a drain", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  using offsets = trained.offsets("relative");
  using trainer = new Trainer(trained.model, qzo({ form: "relative" }), offsets, {
    seed: 1,
    capacity: 2,
  });
  trainer.enqueue(0, batchOf(0));
  trainer.enqueue(1, batchOf(1));
  assertThrows(() => trainer.enqueue(2, batchOf(2)), RangeError, "Cannot queue step 2");
  await trainer.drain();
  trainer.enqueue(2, batchOf(2));
  assertEquals((await trainer.drain()).length, 1);
});

Deno.test("the memory of a training run is flat", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  using offsets = trained.offsets("relative");
  using trainer = new Trainer(trained.model, qzo({ form: "relative" }), offsets, { seed: 1 });
  const totals: number[] = [];
  for (let chunk = 0; chunk < 3; chunk++) {
    for (let i = 0; i < 3; i++) trainer.enqueue(3 * chunk + i, batchOf(i));
    await trainer.drain();
    totals.push(gpu.memory.total);
  }
  assertEquals(totals, Array(3).fill(totals[0]));
});

for (const distribution of ["normal", "blocks"] as const) {
  Deno.test(`branches split over passes leave the same bits, ${distribution}`, async () => {
    using trained = await trainedModel(gpu, "int4_g32");
    const rule = distribution === "normal"
      ? qzoPlus({ queries: 20, learningRate: 0.05 })
      : blockwiseZo({ form: "relative", epsilon: 0.02, learningRate: 0.02, queries: 9 });
    const run = async (activationBytes: number) => {
      using offsets = trained.offsets("relative");
      using trainer = new Trainer(trained.model, rule, offsets, { seed: 6, activationBytes });
      for (let step = 0; step < 3; step++) trainer.enqueue(step, batchOf(step));
      const records = await trainer.drain();
      return { records, offsets: bits(await offsets.read(gpu)) };
    };
    const shape = batchOf(1).shape;
    const perPass = (activationBytes: number) => {
      using offsets = trained.offsets("relative");
      const { maxBinding } = gpu;
      return recordStep(trained.model, rule, offsets, new StepState(rule, 1), shape, {
        maxBinding,
        activationBytes,
      }).layout.perPass;
    };
    const { branches } = rule.estimator;
    assertEquals(perPass(2 ** 30), branches.length);
    const whole = await run(2 ** 30);
    assert(whole.records.every((r) => !r.halted));
    for (const budget of [1, 200_000]) {
      assert(perPass(budget) < branches.length && (budget > 1 || perPass(budget) === 1));
      const split = await run(budget);
      assertEquals(split.records, whole.records);
      assertEquals(split.offsets, whole.offsets);
    }
  });
}

Deno.test("plans of several shapes share the activations of the largest", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  const used = async (lengths: readonly number[]) => {
    using offsets = trained.offsets("relative");
    using trainer = new Trainer(trained.model, qzoNormalised(), offsets, { seed: 1 });
    const before = gpu.memory.current.activations;
    for (const [step, length] of lengths.entries()) {
      const examples = textExamples(vocabulary, [length]);
      trainer.enqueue(step, packBatch(examples, "language-modelling", 512));
    }
    const records = await trainer.drain();
    assert(records.every((r) => !r.halted));
    return gpu.memory.current.activations - before;
  };
  const alone = await used([60]);
  const [short, among] = [await used([9, 30]), await used([9, 60, 30, 17])];
  assert(short < alone, `${short} of ${alone}`);
  assert(among < 1.2 * alone, `${among} where the largest alone has ${alone}`);
});

Deno.test("batches whose inputs are larger than what waits for copies usually train as well", async () => {
  using trained = await trainedModel(gpu, "int4_g32");
  using offsets = trained.offsets("relative");
  using trainer = new Trainer(trained.model, qzoNormalised(), offsets, { seed: 3 });
  for (const [step, count] of [64, 67, 71].entries()) {
    // 8 words a row: from 256 KiB on, at no round number.
    const examples = textExamples(vocabulary, new Array<number>(count).fill(130));
    const batch = packBatch(examples, "language-modelling", 512);
    assert(batch.words.byteLength > 256 * 1024, `${batch.words.byteLength}`);
    trainer.enqueue(step, batch);
    const [{ halted }] = await trainer.drain();
    assertEquals(halted, false);
    gpu.check();
  }
});
