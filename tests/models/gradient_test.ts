/** Gradients of whole models, by reverse mode, beside their derivatives along directions. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { Graph, Storage } from "../../kernels/mod.ts";
import { GradientSet } from "../../kernels/offsets/gradient_set.ts";
import { type GradientOptions, recordGradient } from "../../models/gradient.ts";
import {
  type Adapter,
  ia3Adapter,
  loadModel,
  loraAdapter,
  type Model,
  packBatch,
  prefixAdapter,
  promptAdapter,
  quantizedSource,
} from "../../models/mod.ts";
import { masterSeed, mezo, stepSeed, withTangents } from "../../optim/mod.ts";
import { planOffsets, type Selection } from "../../train/selection.ts";
import { Trainer } from "../../train/steps/trainer.ts";
import { openSharedGpu } from "../kernels/one_device.ts";
import { randomLlama } from "../support/random_llama.ts";
import { EVERYTHING } from "./architectures/proofs.ts";
import { assertGradient, gradientOf } from "./gradient_case.ts";
import { leadingOf } from "./leading_oracle.ts";
import {
  choiceExamples,
  ggufInMemory,
  oracleLoss,
  smallShape,
  textExamples,
  weightsOf,
} from "./small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const { vocabulary } = smallShape;
const examples = {
  "language-modelling": textExamples(vocabulary, [7, 14]),
  "classification": choiceExamples(vocabulary, [9, 3]),
};

for (const [format, form] of [["Q4_0", "absolute"], ["Q4_1", "relative"]] as const) {
  Deno.test(`the gradient of a Llama in ${format} by everything, ${form}, is its tangents'`, async () => {
    using dense = await ggufInMemory(smallShape, randomLlama(smallShape));
    using model = await loadModel(gpu, quantizedSource(dense, { format }));
    await assertGradient(gpu, model, examples, { form, selection: EVERYTHING });
  });
}

Deno.test("the gradient of a Llama by LoRA, after steps that move both factors, is its tangents'", async () => {
  using dense = await ggufInMemory(smallShape, randomLlama(smallShape));
  using base = await loadModel(gpu, quantizedSource(dense, { format: "int4z_g32" }));
  using model = base.withAdapter(loraAdapter(base, { rank: 4, targets: "all-linear" }));
  await assertGradient(gpu, model, examples, { form: "absolute", selection: {} });
});

Deno.test("the gradient of a Llama by IA3, of outputs and inputs, is its tangents'", async () => {
  using dense = await ggufInMemory(smallShape, randomLlama(smallShape));
  using base = await loadModel(gpu, quantizedSource(dense, { format: "int4z_g32" }));
  const targets = ["k_proj", "v_proj", "o_proj", "down_proj"];
  using model = base.withAdapter(ia3Adapter(base, { targets }));
  await assertGradient(gpu, model, examples, { form: "absolute", selection: {} });
});

Deno.test("the gradient of a Llama by scales and zero points is its tangents'", async () => {
  using dense = await ggufInMemory(smallShape, randomLlama(smallShape));
  using model = await loadModel(gpu, quantizedSource(dense, { format: "int4z_g32" }));
  const selection = { kinds: ["scales", "minima"] } as const;
  await assertGradient(gpu, model, examples, { form: "relative", selection });
});

Deno.test("the gradient of a Llama by all that codebooks have, head and embeddings tied, is its tangents'", async () => {
  using dense = await ggufInMemory(smallShape, randomLlama(smallShape, { tied: true }));
  using model = await loadModel(gpu, quantizedSource(dense, { format: "codebook2x8" }));
  assert(!model.tensors.has("output.weight"));
  const selection = { kinds: ["scales", "codebooks", "norms"], exclude: [] } as const;
  await assertGradient(gpu, model, examples, { form: "relative", selection });
});

Deno.test("what a gradient keeps of the forward changes no bit of it", async () => {
  const shape = { ...smallShape, layers: 5 };
  using dense = await ggufInMemory(shape, randomLlama(shape, { tied: true }));
  using model = await loadModel(gpu, quantizedSource(dense, { format: "Q4_1" }));
  using offsets = planOffsets(model, "relative", gpu.maxBinding, EVERYTHING).allocate(gpu);
  for (const objective of ["language-modelling", "classification"] as const) {
    const batch = packBatch(examples[objective], objective, model);
    const found = await gradientOf(gpu, model, offsets, batch);
    for (const checkpoints of ["block", "all", 2, 3, 9] as const) {
      assertEquals(await gradientOf(gpu, model, offsets, batch, { checkpoints }), found);
    }
  }
  const batch = packBatch(examples.classification, "classification", model);
  for (const checkpoints of [0, -1, 1.5, NaN]) {
    await assertRejects(
      () => gradientOf(gpu, model, offsets, batch, { checkpoints }),
      RangeError,
      `every ${checkpoints} blocks`,
    );
  }
});

Deno.test("layers below all that is trained cost no slopes, and only values that are read are computed again", async () => {
  const shape = { ...smallShape, layers: 4 };
  using dense = await ggufInMemory(shape, randomLlama(shape));
  using model = await loadModel(gpu, quantizedSource(dense, { format: "Q4_0" }));
  const batch = packBatch(examples.classification, "classification", model);
  const labels = (selection: Selection, options?: GradientOptions): string[] => {
    using offsets = planOffsets(model, "relative", gpu.maxBinding, selection);
    const graph = new Graph();
    const target = {
      losses: new Storage("l", 16, "activations"),
      scores: new Storage("s", 256, "activations"),
    };
    const gradients = new GradientSet(offsets);
    const words = new Storage("batch", batch.words.byteLength, "activations");
    recordGradient(graph, model, batch.shape, words, target, offsets, gradients, options);
    return graph.dispatches.map(({ label }) => label);
  };
  const top = labels({ kinds: ["scales"], layers: [3, 3] });
  assert(top.some((label) => label.startsWith("weight adjoint blk.3.")));
  assertEquals(top.filter((label) => /adjoint .*blk\.[012]\./.test(label)), []);
  const all = labels({ kinds: ["scales"] });
  const count = (label: string, of: string[]) => of.filter((one) => one === label).length;
  // The last product of a block leaves nothing that the way back reads; the last block and a kept one are not computed again.
  assertEquals(count("matmul blk.1.ffn_down.weight", all), 1);
  assertEquals(count("matmul blk.1.ffn_up.weight", all), 2);
  assertEquals(count("matmul blk.3.ffn_up.weight", all), 1);
  assertEquals(
    count("matmul blk.1.ffn_up.weight", labels({ kinds: ["scales"] }, { checkpoints: "all" })),
    1,
  );
});

const leading: Record<string, (base: Model) => Adapter> = {
  prefix: (base) => prefixAdapter(base, { tokens: 3, init: "random", seed: 4 }),
  prompt: (base) => promptAdapter(base, { tokens: 3, init: "random", seed: 4 }),
};

for (const [name, adapter] of Object.entries(leading)) {
  Deno.test(`the gradient of a Llama by a ${name} is its tangents', which differences of the oracle's losses are close to`, async () => {
    using dense = await ggufInMemory(smallShape, randomLlama(smallShape));
    const source = quantizedSource(dense, { format: "Q4_0" });
    using base = await loadModel(gpu, source);
    using model = base.withAdapter(adapter(base));
    await assertGradient(gpu, model, examples, { form: "absolute", selection: {} });
    const rule = withTangents(mezo({ queries: 2, learningRate: 0 }));
    using offsets = planOffsets(model, "absolute", gpu.maxBinding, {}).allocate(gpu);
    using tangents = new Trainer(model, rule, offsets, { seed: 9 });
    const weights = await weightsOf(source);
    for (const objective of ["language-modelling", "classification"] as const) {
      tangents.enqueue(0, packBatch(examples[objective], objective, model));
      const [{ derivatives }] = await tangents.drain();
      derivatives.forEach((d, q) => {
        const seed = stepSeed(masterSeed(9), 0, q);
        const lossAt = (amplitude: number) => {
          const leading = leadingOf(model, { noise: { seed, amplitude } });
          return oracleLoss(smallShape, weights, examples[objective], objective, leading);
        };
        const slope = (lossAt(1e-5) - lossAt(-1e-5)) / 2e-5;
        assertAlmostEquals(d, slope, 1e-4 * Math.max(1, Math.abs(slope)));
      });
    }
  });
}
