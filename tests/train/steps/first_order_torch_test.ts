/** First-order optimisers beside PyTorch's autograd and optimisers, on the same codes, scales and batches: the losses of 50 steps. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { loadModel, packBatch } from "../../../models/mod.ts";
import { optimiserOfConfig, parseTrainConfig } from "../../../train/mod.ts";
import { planOffsets } from "../../../train/selection.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import {
  firstOrderBatches,
  firstOrderRules,
  firstOrderSource,
  firstOrderWindows,
} from "./first_order_case.ts";

interface TorchRun {
  readonly losses: readonly number[];
  readonly norms: readonly number[];
}

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const fixture = new URL("../../fixtures/first_order.json", import.meta.url);
const { runs }: { runs: Readonly<Record<string, TorchRun>> } = JSON.parse(
  await Deno.readTextFile(fixture),
);

Deno.test("there is a run of torch for every rule", () => {
  assertEquals(Object.keys(runs), Object.keys(firstOrderRules));
});

for (const [name, { config }] of Object.entries(firstOrderRules)) {
  Deno.test(`${name}: the losses of 50 steps are torch's to five decimals`, async () => {
    const { losses, norms } = runs[name];
    using source = await firstOrderSource();
    using model = await loadModel(gpu, source);
    const yaml = `model: a.gguf\nsteps: 50\noptimiser: {${config}}`;
    const optimiser = optimiserOfConfig(parseTrainConfig(yaml, "a.yaml"));
    using offsets = planOffsets(model, optimiser, gpu.maxBinding, {}).allocate(gpu);
    using trainer = new Trainer(model, optimiser, offsets, { seed: 0 });
    const windows = firstOrderWindows();
    const examples = windows.map((tokens) => ({ prompt: [], candidates: [tokens], label: 0 }));
    firstOrderBatches().forEach((batch, step) =>
      trainer.enqueue(
        step,
        packBatch(batch.map((i) => examples[i]), "language-modelling", model),
      )
    );
    const records = await trainer.drain();
    assertEquals(records.length, losses.length);
    records.forEach(({ losses: [loss] }, step) =>
      assertAlmostEquals(loss, losses[step], 5e-6, `step ${step}`)
    );
    const { hold } = optimiser.plan;
    const moves = records.filter((_, step) => step % hold === hold - 1);
    moves.forEach(({ derivatives: [norm] }, move) =>
      assertAlmostEquals(norm / hold, norms[move], 1e-4 * norms[move], `move ${move}`)
    );
    assert(losses.at(-1)! < losses[0] - 0.5, "torch learns");
  });
}
