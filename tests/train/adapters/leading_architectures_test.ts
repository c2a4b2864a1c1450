// Prefixes and prompts of other shapes than Llama's while they are trained: what a branch of a step sees is the adapter with that branch's noise added to its
// values, whose logits are PEFT's own (tests/models/adapters/peft_prompt_test.ts). OPT and RoBERTa have learned positions, RoBERTa sees all, Gemma 3 multiplies
// embeddings and has a layer with a window that is shorter than prefix and text.
import { assert, assertAlmostEquals } from "@std/assert";
import { join } from "@std/path";
import { openGpu } from "../../../kernels/mod.ts";
import { adapterValues } from "../../../models/adapters/adapted.ts";
import {
  Evaluator,
  type Example,
  loadModel,
  type Model,
  openAdapter,
  openModelSource,
  packBatch,
  quantizedSource,
} from "../../../models/mod.ts";
import { masterSeed, noiseAt, qzoPlus, stepSeed, tensorId } from "../../../optim/mod.ts";
import { decode } from "../../../quant/layouts/decode.ts";
import { offsetsFor } from "../../../train/mod.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { writeRandomFolder } from "../../models/random_folder.ts";
import { choiceExamples } from "../../models/small_model.ts";
import { promptBases } from "../../support/vectors/peft_cases.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const fixtures = join(import.meta.dirname!, "../../fixtures/peft_prompt");

const optimiser = qzoPlus({ epsilon: 0.05, queries: 3, steps: 4 });

/** Two choices of a token in a place of a text, which a model that sees all of it fills in. */
const masked: readonly Example[] = [
  { prompt: [3, 141, 59, 26, 5, 35], candidates: [[9], [12]], label: 1, masked: [2] },
  { prompt: [3, 89, 79, 32, 38, 4, 77, 91], candidates: [[9], [12]], label: 0, masked: [5] },
];

/** The adapter beside a model with the noise of a branch in its values. */
function movedBy(
  model: Model,
  { direction, amplitude }: { readonly direction: number; readonly amplitude: number },
): Map<string, Float32Array<ArrayBuffer>> {
  const { adapter, tensors } = model.adapter!;
  const key = stepSeed(masterSeed(5), 0, direction);
  return new Map([...tensors.values()].map((tensor) => {
    const own = decode(adapterValues(adapter, tensor));
    const id = tensorId(tensor.name);
    const seen = own.map((value, i) =>
      value + Math.fround(amplitude) * noiseAt("normal", key, id, i)
    );
    return [tensor.name, seen];
  }));
}

for (const architecture of ["opt", "roberta", "gemma3", "gpt2"]) {
  for (const scheme of ["prefix", "prompt"]) {
    Deno.test(`the branches of a step with a ${scheme} before ${architecture}, at four bits, are those of the moved ${scheme}`, async () => {
      await withTemp(async (folder) => {
        await writeRandomFolder(folder, promptBases[architecture]);
        using dense = await openModelSource(folder);
        using base = await loadModel(gpu, quantizedSource(dense, { format: "Q4_0" }));
        const { adapter } = await openAdapter(join(fixtures, `${architecture}-${scheme}`), base);
        using model = base.withAdapter(adapter);
        const examples = architecture === "roberta" ? masked : choiceExamples(148, [6, 9]);
        const batch = packBatch(examples, "classification", model);
        using offsets = await offsetsFor(model, optimiser, {});
        using trainer = new Trainer(model, optimiser, offsets, { seed: 5 });
        trainer.enqueue(0, batch);
        const [{ losses }] = await trainer.drain();
        const found: number[] = [];
        for (const branch of optimiser.estimator.branches) {
          using moved = base.withAdapter({ ...adapter, values: movedBy(model, branch) });
          using evaluator = new Evaluator(moved);
          found.push((await evaluator.run([batch]))[0].loss);
        }
        found.forEach((loss, i) => assertAlmostEquals(losses[i], loss, 2e-5));
        assert(new Set(found.map((loss) => loss.toFixed(4))).size > 2, "branches are alike");
      });
    });
  }
}
