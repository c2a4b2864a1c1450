/** Gradients of whole models, by reverse mode, beside their derivatives along directions. */
import { assert, assertAlmostEquals } from "@std/assert";
import { openGpu } from "../../kernels/mod.ts";
import {
  type Adapter,
  loadModel,
  loraAdapter,
  type Model,
  packBatch,
  prefixAdapter,
  promptAdapter,
  quantizedSource,
} from "../../models/mod.ts";
import { masterSeed, mezo, stepSeed, withTangents } from "../../optim/mod.ts";
import { planOffsets } from "../../train/selection.ts";
import { Trainer } from "../../train/steps/trainer.ts";
import { randomLlama } from "../support/random_llama.ts";
import { EVERYTHING } from "./architectures/proofs.ts";
import { assertGradient } from "./gradient_case.ts";
import { leadingOf } from "./leading_oracle.ts";
import {
  choiceExamples,
  ggufInMemory,
  oracleLoss,
  smallShape,
  textExamples,
  weightsOf,
} from "./small_model.ts";

const gpu = await openGpu();
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
