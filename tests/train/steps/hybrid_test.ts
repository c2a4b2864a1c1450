/** Hybrids by depth: the exact part is the exact gradient, the part along noise is the estimate that goes along noise alone. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { loadModel, type Model, packBatch, quantizedSource } from "../../../models/mod.ts";
import {
  accumulateGradients,
  adam,
  apart,
  clipDerivative,
  elementOps,
  type Estimator,
  fillNoise,
  forwardGradient,
  foSgd,
  hybridGradient,
  hybridZoFo,
  masterSeed,
  oneSided,
  type Optimiser,
  optimiser,
  scaleBySchedule,
  spsa,
  stepSeed,
  withTangents,
} from "../../../optim/mod.ts";
import { finetune, optimiserOfConfig, parseTrainConfig } from "../../../train/mod.ts";
import { planOffsets, type Selection } from "../../../train/selection.ts";
import { type MemoryPlanOptions, planMemory } from "../../../train/steps/memory_plan.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { gradientOf } from "../../models/gradient_case.ts";
import {
  choiceExamples,
  ggufInMemory,
  smallShape,
  textExamples,
} from "../../models/small_model.ts";
import { randomLlama, randomNormals, randomNumbers } from "../../support/random_llama.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape = { ...smallShape, layers: 3 };
const selection = { kinds: ["scales", "norms"] } as const;
const dense = await ggufInMemory(shape, randomLlama(shape));
const source = quantizedSource(dense, { format: "Q4_0" });
const batches = {
  "language-modelling": packBatch(
    textExamples(shape.vocabulary, [20, 17]),
    "language-modelling",
    64,
  ),
  classification: packBatch(choiceExamples(shape.vocabulary, [9, 3]), "classification", 64),
};
const batch = batches["language-modelling"];
const SEED = 7;
const RATE = 0.01;
const EPSILON = 0.02;

/** Descent by each part's own derivative. */
function descent(of: Estimator, exactBlocks = 2): Optimiser {
  return optimiser({
    name: "descent",
    estimator: hybridGradient({ of, exactBlocks }),
    transformations: [
      apart({ noise: [scaleBySchedule(RATE)], gradient: [scaleBySchedule(RATE)] }),
    ],
    form: "relative",
  });
}

function offsetsOf(model: Model, rule: Optimiser, chosen: Selection = selection) {
  const offsets = planOffsets(model, rule, gpu.maxBinding, chosen).allocate(gpu);
  const random = randomNumbers(8);
  offsets.write(
    gpu,
    new Map(offsets.trainables.map((t) => [t.name, randomNormals(t.count, 0.02, random)])),
  );
  return offsets;
}

function noiseOf({ id, count }: { readonly id: number; readonly count: number }, q: number) {
  const z = new Float32Array(count);
  fillNoise("normal", stepSeed(masterSeed(SEED), 0, q), id, 0, z);
  return z;
}

for (const objective of ["language-modelling", "classification"] as const) {
  for (const  of of[forwardGradient({ queries: 2 }), spsa({ epsilon: EPSILON, queries: 2 })]) {
    Deno.test(`${of.name} below, ${objective}: each part moves by what it would be alone`, async () => {
      const batch = batches[objective];
      using model = await loadModel(gpu, source);
      const rule = descent(of);
      using offsets = offsetsOf(model, rule);
      const first = await offsets.read(gpu);
      using trainer = new Trainer(model, rule, offsets, { seed: SEED });
      trainer.enqueue(0, batch);
      const [record] = await trainer.drain();
      const after = await offsets.read(gpu);

      using all = offsetsOf(model, foSgd());
      const points = of.tangents
        ? [new Map(first)]
        : [1, -1, 1, -1].map((sign, b) =>
          new Map(offsets.trainables.map(({ name, id, count, exact }) => {
            const at = first.get(name)!;
            const z = noiseOf({ id, count }, b >> 1);
            return [name, exact ? at : at.map((w, i) => w + sign * EPSILON * z[i])];
          }))
        );
      const found: Awaited<ReturnType<typeof gradientOf>>[] = [];
      for (const point of points) {
        all.write(gpu, point);
        found.push(await gradientOf(gpu, model, all, batch));
      }
      found.forEach(({ loss }, b) => assertAlmostEquals(record.losses[b], loss, 2e-6));
      let square = 0;
      for (const { name, id, count, exact } of offsets.trainables) {
        const before = first.get(name)!;
        const moved = after.get(name)!.map((w, i) => w - before[i]);
        if (exact) {
          const g = before.map((_, i) =>
            found.reduce((sum, { slopes }) => sum + slopes.get(name)![i], 0) / found.length
          );
          const size = Math.hypot(...g) / Math.sqrt(g.length);
          square += g.reduce((sum, it) => sum + it * it, 0);
          assert(size > 0, name);
          moved.forEach((it, i) =>
            assertAlmostEquals(it, -RATE * g[i], 2e-4 * RATE * (size + Math.abs(g[i])) + 2e-9)
          );
        } else {
          const [a, b] = [noiseOf({ id, count }, 0), noiseOf({ id, count }, 1)];
          const [c, d] = record.coefficients;
          moved.forEach((it, i) => assertAlmostEquals(it, c * a[i] + d * b[i], 1e-8));
        }
      }
      assertAlmostEquals(record.losses.at(-1)!, Math.sqrt(square), 1e-5 * Math.sqrt(square));
      const derivatives = of.tangents
        ? [0, 1].map((q) =>
          offsets.trainables.reduce((sum, { name, id, count, exact }) => {
            if (exact) return sum;
            const z = noiseOf({ id, count }, q);
            return found[0].slopes.get(name)!.reduce((all, g, i) => all + g * z[i], sum);
          }, 0)
        )
        : [0, 1].map((q) => (found[2 * q].loss - found[2 * q + 1].loss) / (2 * EPSILON));
      derivatives.forEach((d, q) => {
        // The losses of SPSA are of f32.
        const error = of.tangents ? 1e-5 * Math.max(1, Math.abs(d)) : 2e-6 / EPSILON;
        assertAlmostEquals(record.derivatives[q], d, error);
        assertAlmostEquals(record.coefficients[q], -RATE / 2 * d, RATE * error + 2e-4 * RATE);
      });
    });
  }
}

for (const  of of[forwardGradient({ queries: 2 }), spsa({ epsilon: EPSILON, queries: 2 })]) {
  Deno.test(`${of.name} below: the derivatives are those of who trains what is below alone`, async () => {
    using model = await loadModel(gpu, source);
    const transformations = [scaleBySchedule(RATE)];
    const plain = optimiser({ name: "below", estimator: of, transformations, form: "relative" });
    const rule = descent(of);
    using offsets = planOffsets(model, rule, gpu.maxBinding, selection).allocate(gpu);
    const first = { ...selection, layers: [0, 0] } as const;
    using alone = planOffsets(model, plain, gpu.maxBinding, first).allocate(gpu);
    const names = offsets.trainables.filter(({ exact }) => !exact).map(({ name }) => name);
    assertEquals(alone.trainables.map(({ name }) => name), names);
    const found = [];
    for (const [made, moved] of [[rule, offsets], [plain, alone]] as const) {
      using trainer = new Trainer(model, made, moved, { seed: SEED });
      trainer.enqueue(0, batch);
      const [record] = await trainer.drain();
      found.push({ record, offsets: await moved.read(gpu) });
    }
    const [hybrid, noise] = found;
    const error = of.tangents ? 1e-5 : 2e-6 / EPSILON;
    noise.record.derivatives.forEach((d, q) =>
      assertAlmostEquals(hybrid.record.derivatives[q], d, error)
    );
    for (const name of names) {
      const theirs = noise.offsets.get(name)!;
      assert(Math.hypot(...theirs) > 0);
      hybrid.offsets.get(name)!.forEach((w, i) =>
        assertAlmostEquals(w, theirs[i], 8 * RATE * (error + 1e-4))
      );
    }
  });
}

Deno.test("hybridZoFo: Adam on the exact part alone, clipped by its norm; memory is as planned and goes with the blocks", async () => {
  const { adapterClass, maxBinding } = gpu;
  const priced = { selection, adapterClass, maxBinding, shape: batch.shape };
  const rule = adam({ learningRate: RATE });
  const taken: number[] = [];
  for (const exactBlocks of [1, 2]) {
    const made = hybridZoFo({ learningRate: RATE, exactBlocks, clipNorm: 1e-3 });
    const before = gpu.memory.current;
    using model = await loadModel(gpu, source);
    using offsets = planOffsets(model, made, maxBinding, selection).allocate(gpu);
    using trainer = new Trainer(model, made, offsets, { seed: SEED });
    const state = new Map(offsets.trainables.map((t) => [t.name, Array(t.count).fill([0, 0])]));
    for (let step = 0; step < 2; step++) {
      const first = await offsets.read(gpu);
      using all = planOffsets(model, foSgd(), maxBinding, selection).allocate(gpu);
      all.write(gpu, first);
      const { slopes } = await gradientOf(gpu, model, all, batch);
      trainer.enqueue(step, batch);
      const [{ losses, coefficients }] = await trainer.drain();
      const norm = losses.at(-1)!;
      assert(norm > 1e-3);
      for (const [name, after] of await offsets.read(gpu)) {
        const { exact, id, count } = offsets.trainable(name)!;
        if (exact) {
          after.forEach((w, i) => {
            const g = slopes.get(name)![i] * 1e-3 / norm;
            const at = first.get(name)![i];
            const moved = rule.update(elementOps, at, g, state.get(name)![i], rule.inputs(step));
            state.get(name)![i] = moved.state;
            assertAlmostEquals(w, moved.offset, 1e-4, `${name} ${i}`);
          });
        } else {
          const z = new Float32Array(count);
          fillNoise("normal", stepSeed(masterSeed(SEED), step, 0), id, 0, z);
          after.forEach((w, i) => {
            const moved = Math.fround(first.get(name)![i] + coefficients[0] * z[i]);
            assertEquals(w, moved, name);
          });
        }
      }
    }
    const plan = planMemory(source, { ...priced, optimiser: made });
    for (const part of ["weights", "offsets", "activations", "optimiser", "scratch"] as const) {
      assertEquals(gpu.memory.current[part] - before[part], plan[part], part);
    }
    taken.push(plan.activations);
  }
  // What the exact blocks keep is their share of what all keep.
  const of = (optimiser: Optimiser, more: Partial<MemoryPlanOptions> = {}) =>
    planMemory(source, { ...priced, optimiser, ...more });
  const all = of(foSgd()).activations;
  assert(taken[0] < taken[1] && taken[1] < all, `${taken} of ${all}`);
  const block = of(hybridZoFo({ exactBlocks: 2 }), { checkpoints: "block" });
  assertEquals(block.checkpoints, "block");
  assert(block.activations < taken[1]);
});

Deno.test("what is kept of the exact blocks changes no bit", async () => {
  const found: ReadonlyMap<string, Float32Array>[] = [];
  for (const checkpoints of ["all", "block", 2] as const) {
    const made = hybridZoFo({ below: "differences" });
    using model = await loadModel(gpu, source);
    using offsets = planOffsets(model, made, gpu.maxBinding, selection).allocate(gpu);
    using trainer = new Trainer(model, made, offsets, { seed: 1, checkpoints });
    for (let step = 0; step < 3; step++) trainer.enqueue(step, batch);
    await trainer.drain();
    found.push(await offsets.read(gpu));
  }
  assertEquals(found[1], found[0]);
  assertEquals(found[2], found[0]);
});

Deno.test("hybridZoFo learns, and tells losses and its learning rate", async () => {
  const train = choiceExamples(shape.vocabulary, [9, 3, 14, 6]);
  for (const below of ["tangents", "differences"] as const) {
    const made = hybridZoFo({ learningRate: 0.02, below });
    using model = await loadModel(gpu, source);
    using offsets = planOffsets(model, made, gpu.maxBinding, selection).allocate(gpu);
    const losses: number[] = [];
    const steps = finetune({
      ...{ model, optimiser: made, offsets, train, objective: "classification" },
      ...{ steps: 12, batchSize: 4 },
    });
    for await (const event of steps) {
      if (event.type !== "step") continue;
      losses.push(event.loss);
      assertEquals(event.learningRate, 0.02);
      const seen = below === "tangents" ? event.losses.slice(0, 1) : event.losses.slice(0, 2);
      assertAlmostEquals(event.loss, seen.reduce((a, b) => a + b) / seen.length, 1e-12);
    }
    assert(losses[11] < losses[0] / 2, `${losses}`);
  }
});

Deno.test("what a split cannot do is refused by name", async () => {
  using model = await loadModel(gpu, source);
  const start = (made: Optimiser, chosen: Selection, of: Model = model) => {
    using offsets = planOffsets(of, made, gpu.maxBinding, chosen).allocate(gpu);
    using trainer = new Trainer(of, made, offsets, { seed: 1 });
    trainer.enqueue(0, batch);
  };
  const made = hybridZoFo();
  assertThrows(
    () => start(made, { layers: [1, 2] }),
    TypeError,
    "all that is trained is in the blocks whose gradient is exact",
  );
  assertThrows(
    () => start(made, { layers: [0, 0] }),
    TypeError,
    "nothing that is trained is in the blocks",
  );
  using tied = await ggufInMemory(shape, randomLlama(shape, { tied: true }));
  using other = await loadModel(gpu, quantizedSource(tied, { format: "Q4_0" }));
  assertThrows(
    () => start(made, { kinds: ["scales", "dense"], exclude: [] }, other),
    TypeError,
    'Cannot train "token_embd.weight" along noise',
  );
  // Offsets of another optimiser.
  using plain = planOffsets(model, foSgd(), gpu.maxBinding, selection).allocate(gpu);
  assertThrows(() => new Trainer(model, made, plain, { seed: 1 }), TypeError, "nothing that");
  using split = planOffsets(model, made, gpu.maxBinding, selection).allocate(gpu);
  assertThrows(() => new Trainer(model, foSgd(), split, { seed: 1 }), TypeError, "hybrid");

  assertThrows(() => hybridGradient({ of: oneSided() }), RangeError, '"oneSided"');
  assertThrows(() => withTangents(made), RangeError, "hybridGradient");
  assertThrows(() => hybridZoFo({ groups: { norms: { learningRate: 1 } } }), RangeError, "groups");
  assertThrows(
    () => optimiser({ name: "masked", estimator: made.estimator, mask: { density: 0.5 } }),
    RangeError,
    "has the gradient of each step as its last direction",
  );
  const options = { model, optimiser: made, offsets: split, steps: 1 };
  const train = textExamples(shape.vocabulary, [9]);
  await assertRejects(
    () =>
      finetune({ ...options, train, objective: "language-modelling", ledger: {} as never }).next(),
    TypeError,
    "stateFile",
  );
  const of = (more: string) => `model: a.gguf\nsteps: 30\noptimiser: {name: hybridZoFo, ${more}}`;
  for (
    const [more, says] of [
      ["epsilon: 0.1", "the derivatives of hybridZoFo are exact"],
      ["tangents: true", "hybridZoFo says itself how it looks below"],
      ["accumulate: 2", "hybridZoFo makes a move of each step"],
      ["batch_per_direction: 2", "hybridZoFo makes a move of each step"],
    ]
  ) {
    const config = parseTrainConfig(of(more), "a.yaml");
    assertThrows(() => optimiserOfConfig(config), RangeError, says);
  }
  const config = parseTrainConfig(of("below: differences, epsilon: 0.1, queries: 3"), "a.yaml");
  assertEquals(optimiserOfConfig(config).estimator.branches.length, 7);
  assertThrows(
    () =>
      apart({ noise: [clipDerivative(1)], gradient: [accumulateGradients(2, clipDerivative(1))] }),
    RangeError,
    "accumulateGradients",
  );
});
