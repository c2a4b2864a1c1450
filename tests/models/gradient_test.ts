/** Gradients of whole models, by reverse mode, beside their derivatives along directions. */
import { ia3Adapter, loadModel, loraAdapter, quantizedSource } from "../../models/mod.ts";
import { openSharedGpu } from "../kernels/one_device.ts";
import { randomLlama } from "../support/random_llama.ts";
import { EVERYTHING } from "./architectures/proofs.ts";
import { assertGradient } from "./gradient_case.ts";
import { choiceExamples, ggufInMemory, smallShape, textExamples } from "./small_model.ts";

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
