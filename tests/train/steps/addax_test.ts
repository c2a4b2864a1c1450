/** Addax: long examples along noise, short ones by the gradient, in one step. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  type Example,
  loadModel,
  packBatch,
  quantizedSource,
  withSecond,
} from "../../../models/mod.ts";
import {
  addax,
  fillNoise,
  foSgd,
  masterSeed,
  mezo,
  mixedGradient,
  oneSided,
  spsa,
  stepSeed,
  threePoint,
} from "../../../optim/mod.ts";
import { finetune } from "../../../train/mod.ts";
import { planOffsets } from "../../../train/selection.ts";
import { planMemory } from "../../../train/steps/memory_plan.ts";
import { stepOrder } from "../../../train/steps/step_order.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { gradientOf } from "../../models/gradient_case.ts";
import {
  choiceExamples,
  ggufInMemory,
  smallShape,
  textExamples,
} from "../../models/small_model.ts";
import { randomLlama } from "../../support/random_llama.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const { vocabulary } = smallShape;
const selection = { kinds: ["scales", "norms"] } as const;
const source = quantizedSource(await ggufInMemory(smallShape, randomLlama(smallShape)), {
  format: "Q4_0",
});
const SEED = 7;
const examples = {
  "language-modelling": [textExamples(vocabulary, [40, 37]), textExamples(vocabulary, [9, 12, 7])],
  classification: [choiceExamples(vocabulary, [30, 28]), choiceExamples(vocabulary, [9, 3, 5])],
} as const;

for (const objective of ["language-modelling", "classification"] as const) {
  Deno.test(`a step along noise on one batch and the gradient on another, ${objective}`, async () => {
    using model = await loadModel(gpu, source);
    const [long, short] = examples[objective].map((some) => packBatch(some, objective, model));
    const [rate, alpha, epsilon] = [0.02, 0.25, 0.01];
    const made = addax({ learningRate: rate, alpha, epsilon, queries: 2, clip: Infinity });
    using offsets = planOffsets(model, made, gpu.maxBinding, selection).allocate(gpu);
    using trainer = new Trainer(model, made, offsets, { seed: SEED });
    trainer.enqueue(0, withSecond(long, short));
    const [{ losses, derivatives, coefficients }] = await trainer.drain();

    // Each alone.
    const plain = { ...mezo({ epsilon, queries: 2, learningRate: rate }), form: made.form };
    using other = planOffsets(model, made, gpu.maxBinding, selection).allocate(gpu);
    using noise = new Trainer(model, plain, other, { seed: SEED });
    noise.enqueue(0, long);
    const [alone] = await noise.drain();
    using still = planOffsets(model, made, gpu.maxBinding, selection).allocate(gpu);
    const { slopes, loss } = await gradientOf(gpu, model, still, short);
    const norm = Math.hypot(...[...slopes.values()].flatMap((g) => [...g]));

    assertEquals(losses.slice(0, 4), alone.losses);
    assertEquals(derivatives.slice(0, 2), alone.derivatives);
    assertAlmostEquals(losses[4], loss, 1e-6);
    assertAlmostEquals(losses[5], norm, 1e-5 * norm);
    alone.derivatives.forEach((d, q) =>
      assertAlmostEquals(coefficients[q], -rate * alpha * d / 2, 1e-4 * Math.abs(rate * d))
    );
    const found = await offsets.read(gpu);
    for (const { name, id, count } of offsets.trainables) {
      const [a, b] = [0, 1].map((q) => {
        const z = new Float32Array(count);
        fillNoise("normal", stepSeed(masterSeed(SEED), 0, q), id, 0, z);
        return z;
      });
      const g = slopes.get(name)!;
      const size = Math.hypot(...g) / Math.sqrt(g.length);
      found.get(name)!.forEach((w, i) => {
        const wanted = coefficients[0] * a[i] + coefficients[1] * b[i] -
          rate * (1 - alpha) * g[i];
        assertAlmostEquals(w, wanted, 2e-4 * rate * (size + Math.abs(g[i])) + 1e-8, name);
      });
    }
    assertThrows(() => trainer.enqueue(1, long), TypeError, "pack one with withSecond");
    using first = new Trainer(model, foSgd(), still, { seed: 1 });
    assertThrows(() => first.enqueue(0, withSecond(long, short)), TypeError, "it takes one");
  });
}

Deno.test("memory is as planned, and not that of the gradient of long examples", async () => {
  const { adapterClass, maxBinding } = gpu;
  using model = await loadModel(gpu, source);
  const [long, short] = [[60, 60], [8, 8]].map((lengths) =>
    packBatch(textExamples(vocabulary, lengths), "language-modelling", model)
  );
  const both = withSecond(long, short);
  const made = addax();
  const before = { ...gpu.memory.current };
  using offsets = planOffsets(model, made, maxBinding, selection).allocate(gpu);
  using trainer = new Trainer(model, made, offsets, { seed: SEED });
  for (let step = 0; step < 2; step++) trainer.enqueue(step, both);
  await trainer.drain();
  const priced = { selection, adapterClass, maxBinding };
  const plan = planMemory(source, { ...priced, optimiser: made, shape: both.shape });
  for (const part of ["offsets", "activations", "optimiser", "scratch"] as const) {
    assertEquals(gpu.memory.current[part] - before[part], plan[part], part);
  }
  const exact = planMemory(source, { ...priced, optimiser: foSgd(), shape: long.shape });
  assert(plan.activations < exact.activations, `${plan.activations} ${exact.activations}`);
});

Deno.test("examples go by their length: to noise, or to the gradient; each once an epoch", () => {
  const lengths = [5, 50, 6, 60, 7, 70, 8, 9];
  const train: Example[] = textExamples(vocabulary, lengths);
  const rows = (i: number) => lengths[i] - 1;
  const made = addax({ longerThan: 20, noiseBatchSize: 2 });
  const order = stepOrder(train, made, { batchSize: 3, seed: 4 });
  assertEquals(order.stepsPerEpoch, 2);
  const taken = [0, 1].flatMap((step) => order.batch(step));
  assertEquals(taken.toSorted((a, b) => a - b), [1, 3, 5]);
  assert(taken.every((i) => rows(i) > 20));
  const second = [0, 1].flatMap((step) => order.second!(step));
  assertEquals(second.toSorted((a, b) => a - b), [0, 2, 4, 6, 7]);
  assertEquals(order.second!(1), stepOrder(train, made, { batchSize: 3, seed: 4 }).second!(1));

  const whole = stepOrder(train, addax(), { batchSize: 4, seed: 4 });
  const [a, b] = [whole.batch(0), whole.second!(0)];
  assertEquals([a.length, b.length], [4, 4]);
  const steps = Array.from({ length: 8 }, (_, step) => step);
  assert(steps.some((step) => `${whole.batch(step)}` !== `${whole.second!(step)}`));
  assertEquals(stepOrder(train, foSgd(), { batchSize: 4 }).second, undefined);
  for (
    const [longerThan, says] of [[100, "none is longer than 100"], [
      2,
      "all are longer than 2",
    ]] as const
  ) {
    assertThrows(() => stepOrder(train, addax({ longerThan }), {}), RangeError, says);
  }
  assertThrows(() => mixedGradient({ of: threePoint() }), RangeError, '"threePoint"');
  assertEquals(mixedGradient({ of: oneSided({ queries: 2 }) }).branches.length, 5);
  assertEquals(mixedGradient({ of: spsa() }).parameters, {
    of: { name: "spsa", parameters: { epsilon: 1e-3, queries: 1 } },
  });
});

Deno.test("addax learns from both kinds of examples", async () => {
  using model = await loadModel(gpu, source);
  const train = choiceExamples(vocabulary, [29, 30, 3, 6]);
  const made = addax({ learningRate: 3, longerThan: 20, noiseBatchSize: 2 });
  using offsets = planOffsets(model, made, gpu.maxBinding, selection).allocate(gpu);
  const losses: number[] = [];
  const steps = finetune({
    ...{ model, optimiser: made, offsets, train, objective: "classification" },
    ...{ steps: 12, batchSize: 2 },
  });
  for await (const event of steps) {
    if (event.type !== "step") continue;
    losses.push(event.losses[2]);
    assertAlmostEquals(event.loss, event.losses.slice(0, 3).reduce((a, b) => a + b) / 3, 1e-9);
  }
  assert(losses[11] < losses[0] / 2, `${losses}`);
});
