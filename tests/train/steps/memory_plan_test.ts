import { assert, assertEquals } from "@std/assert";
import { loadModel, packBatch, quantizedSource, withSecond } from "../../../models/mod.ts";
import { planModel } from "../../../models/inference/model.ts";
import { planOffsets } from "../../../train/selection.ts";
import { type MemoryPlan, modelOfShape, planMemory } from "../../../train/steps/memory_plan.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import {
  foAdam,
  forwardGrad,
  foSgd,
  namedOptimisers,
  optimiserNames,
  qzo,
  qzoNormalised,
  sparseZo,
  zoAdam,
  zoSgd,
  zoSgdConservative,
} from "../../../optim/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama } from "../../support/random_llama.ts";
import {
  choiceExamples,
  ggufInMemory,
  smallShape,
  textExamples,
} from "../../models/small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Asserts that a run took what a plan says, to the byte. */
function assertTaken(plan: MemoryPlan, before: typeof gpu.memory.current): void {
  const { current } = gpu.memory;
  for (const part of ["weights", "offsets", "activations", "optimiser", "scratch"] as const) {
    assertEquals(current[part] - before[part], plan[part], part);
  }
  const taken = gpu.memory.total - Object.values(before).reduce((a, b) => a + b);
  assertEquals(taken, plan.total);
}

const shape = { ...smallShape, layers: 1 };

for (const format of ["Q4_0", "int3z_g64", "codebook1x8"]) {
  Deno.test(`the planned memory of a fine-tune in ${format} is what it takes, to the byte`, async () => {
    using dense = await ggufInMemory(shape, randomLlama(shape));
    const source = quantizedSource(dense, { format });
    const optimiser = format === "Q4_0"
      ? qzoNormalised({ queries: 3 })
      : format === "int3z_g64"
      ? zoAdam({ form: "relative" })
      : zoSgdConservative({ form: "relative" });
    const kinds = ["scales", "norms", "codebooks", "minima"] as const;
    const selection = { kinds, span: "row" } as const;
    const batch = packBatch(choiceExamples(290, [9, 14, 3]), "classification", 64);
    const { adapterClass, maxBinding } = gpu;
    const plan = planMemory(source, {
      optimiser,
      selection,
      shape: batch.shape,
      adapterClass,
      maxBinding,
      maxPositions: 77,
      capacity: 50,
    });
    const before = gpu.memory.current;
    {
      using model = await loadModel(gpu, source, { maxPositions: 77 });
      using offsets = planOffsets(model, "relative", maxBinding, selection).allocate(gpu);
      assertEquals(offsets.scalars, plan.trainableScalars);
      using trainer = new Trainer(model, optimiser, offsets, { seed: 1, capacity: 50 });
      trainer.enqueue(0, batch);
      assertTaken(plan, before);
      await trainer.drain();
      assertTaken(plan, before);
    }
    assertEquals(gpu.memory.current, before, "not all was freed");
  });
}

/** Exact derivatives and what they are compared with, by what is kept of the forward pass. */
const derivatives = [
  ["zoSgd", zoSgd(), undefined],
  ["forwardGrad", forwardGrad(), undefined],
  ["foSgd", foSgd(), "block"],
  ["foSgd", foSgd(), 2],
  ["foSgd", foSgd(), "all"],
  ["foAdam", foAdam(), "block"],
] as const;

for (const tokens of [12, 100]) {
  Deno.test(`the planned memory of steps along tangents and gradients over ${tokens} tokens is what they take, to the byte`, async () => {
    const deep = { ...smallShape, layers: 3 };
    using dense = await ggufInMemory(deep, randomLlama(deep));
    const source = quantizedSource(dense, { format: "Q4_0" });
    const batch = packBatch(textExamples(290, [tokens + 1]), "language-modelling", 128);
    assertEquals(batch.rows, tokens);
    const { adapterClass, maxBinding } = gpu;
    const activations = new Map<string, number>();
    for (const [name, optimiser, checkpoints] of derivatives) {
      const plan = planMemory(source, {
        ...{ optimiser, checkpoints, shape: batch.shape, adapterClass, maxBinding, capacity: 8 },
      });
      assertEquals(plan.checkpoints, checkpoints, name);
      activations.set(`${name} ${checkpoints}`, plan.activations);
      const before = gpu.memory.current;
      {
        using model = await loadModel(gpu, source);
        using offsets = planOffsets(model, optimiser, maxBinding).allocate(gpu);
        using trainer = new Trainer(model, optimiser, offsets, {
          ...{ seed: 1, capacity: 8, checkpoints },
        });
        trainer.enqueue(0, batch);
        assertTaken(plan, before);
        await trainer.drain();
        assertTaken(plan, before);
      }
      assertEquals(gpu.memory.current, before, `${name} did not free all`);
    }
    const [zeroth, tangent, block, two, all] = activations.values();
    assert(zeroth <= tangent && tangent < block && block < two && two < all, `${[...activations]}`);
  });
}

Deno.test("a model planned from its shape alone is the model planned from its file", async () => {
  using dense = await ggufInMemory(shape, randomLlama(shape));
  const source = quantizedSource(dense, { format: "int4_g32" });
  const shaped = modelOfShape(source.config, "int4_g32");
  const batch = packBatch(textExamples(290, [9]), "language-modelling", 64);
  const options = { optimiser: qzo(), shape: batch.shape };
  assertEquals(planMemory(shaped, options), planMemory(source, options));
});

Deno.test("every named optimiser is priced without a device, masks and magnitudes before their base is read", async () => {
  using dense = await ggufInMemory(shape, randomLlama(shape));
  const source = quantizedSource(dense, { format: "int4_g32" });
  const packed = packBatch(textExamples(290, [9]), "language-modelling", 64);
  const batch = packed.shape;
  for (const name of optimiserNames) {
    const optimiser = namedOptimisers[name]({ form: "relative" });
    const { shape } = optimiser.estimator.batches ? withSecond(packed, packed) : packed;
    const { total } = planMemory(source, { optimiser, shape });
    assert(total > 0, name);
  }
  const plain = planMemory(source, { optimiser: sparseZo(), shape: batch });
  const optimiser = sparseZo({ budget: "global" });
  assertEquals(planMemory(source, { optimiser, shape: batch }).total, plain.total);
});

Deno.test("a smaller binding makes more pieces of the same tensors", async () => {
  using dense = await ggufInMemory(shape, randomLlama(shape));
  const source = quantizedSource(dense, { format: "int4_g32" });
  const storages = (maxBinding: number) => {
    const { tensors } = planModel(source, { adapterClass: "software", maxBinding });
    return [...tensors.values()].flatMap((t) => t.storages);
  };
  const whole = storages(2 ** 31 - 256);
  const pieces = storages(64 * 96 * 4);
  assert(pieces.length > whole.length);
  const bytes = (list: readonly { bytes: number }[]) => list.reduce((sum, s) => sum + s.bytes, 0);
  assert(Math.abs(bytes(pieces) - bytes(whole)) < 32 * pieces.length);
  assert(pieces.every((s) => s.bytes <= 64 * 96 * 4));
});
