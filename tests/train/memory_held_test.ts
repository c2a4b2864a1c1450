/** What a run holds is what is planned: offsets once, an evaluator beside the training. */
import { assert, assertEquals } from "@std/assert";
import { openGpu } from "../../kernels/mod.ts";
import { fitAdapter } from "../../models/adapters/adapted.ts";
import {
  type Adapter,
  loadModel,
  loraAdapter,
  type ModelConfig,
  packBatch,
  prefixAdapter,
  promptAdapter,
  quantizedSource,
} from "../../models/mod.ts";
import { planOffsets } from "../../train/selection.ts";
import { planMemory } from "../../train/steps/memory_plan.ts";
import { qzoNormalised } from "../../optim/mod.ts";
import { finetune } from "../../train/mod.ts";
import { choiceExamples, ggufInMemory, smallShape } from "../models/small_model.ts";
import { randomLlama } from "../support/random_llama.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape = { ...smallShape, layers: 1 };

/** What stands beside the base, by what is trained. */
const beside: Readonly<Record<string, (model: { readonly config: ModelConfig }) => Adapter>> = {
  lora: (model) => loraAdapter(model, { rank: 4 }),
  prefix: (model) => prefixAdapter(model, { tokens: 3, init: "random" }),
  prompt: (model) => promptAdapter(model, { tokens: 5, init: "random" }),
};

for (
  const kinds of [["scales"], ["dense", "norms"], ["lora"], ["prefix"], ["prompt"]] as const
) {
  Deno.test(`a fine-tune of ${kinds} with held-out examples holds what is planned with an evaluator, and no second offsets`, async () => {
    using dense = await ggufInMemory(shape, randomLlama(shape));
    const isDense = kinds[0] === "dense";
    const source = isDense ? dense : quantizedSource(dense, { format: "Q4_K" });
    const adapter = beside[kinds[0]]?.(source);
    const optimiser = qzoNormalised({ form: "relative" });
    const selection = { kinds };
    // One shape for all: training and held-out batches alike.
    const examples = Array.from({ length: 4 }, () => choiceExamples(290, [9, 14, 3])[0]);
    const fitted = adapter && fitAdapter(source.config, adapter);
    const batch = packBatch(examples, "classification", { maxPositions: 64, adapter: fitted });
    const { adapterClass, maxBinding } = gpu;
    const options = { optimiser, selection, adapter, shape: batch.shape, adapterClass, maxBinding };
    const plan = planMemory(source, { ...options, maxPositions: 77, evaluates: true });
    const without = planMemory(source, { ...options, maxPositions: 77 });
    assert(plan.activations > without.activations);
    assertEquals(plan.offsets, without.offsets);
    const before = gpu.memory.current;
    {
      using base = await loadModel(gpu, source, { maxPositions: 77 });
      using own = adapter && base.withAdapter(adapter);
      const model = own ?? base;
      using offsets = planOffsets(model, optimiser, maxBinding, selection).allocate(gpu);
      const run = finetune({
        ...{ model, optimiser, offsets, objective: "classification", steps: 6, batchSize: 4 },
        ...{ train: examples, validation: examples, evaluateEvery: 2 },
      });
      let looks = 0;
      for await (const event of run) {
        if (event.type === "step") {
          for (const part of ["weights", "offsets", "activations", "optimiser"] as const) {
            assertEquals(gpu.memory.current[part] - before[part], plan[part], part);
          }
          // Besides what is planned only records on their way to the host.
          const scratch = gpu.memory.current.scratch - before.scratch - plan.scratch;
          assert(scratch >= 0 && scratch < 4096, `${scratch}`);
        } else if (event.type === "evaluation") looks++;
        else assertEquals([event.looks, event.last !== undefined], [looks, true]);
      }
      assertEquals(looks, 4);
    }
    assertEquals(gpu.memory.current, before, "not all was freed");
  });
}
