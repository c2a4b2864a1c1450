/**
 * A fine-tune in ten lines: `deno run --allow-read --allow-write --allow-env examples/finetune.ts model.gguf data/sst2`.
 *
 * @module
 */
import * as qzo from "@qzo/qzo";

using gpu = await qzo.openGpu();
using source = await qzo.openModelSource(Deno.args[0]); // a GGUF file or a Hugging Face folder
using model = await qzo.loadModel(gpu, source);
const train = await qzo.loadExamples(model.tokenizer, "sst2", "train", Deno.args[1]);
const optimiser = qzo.qzoNormalised({ learningRate: qzo.linear(0.02, { total: 250 }) });
using offsets = await qzo.offsetsFor(model, optimiser);
using ledger = await qzo.LedgerFile.create("run.ledger", { model, optimiser, offsets });
const run = { model, optimiser, offsets, ledger, train, steps: 250 };
for await (const event of qzo.finetune({ ...run, objective: "classification" })) {
  if (event.type === "step") console.log(event.step, event.loss.toFixed(3));
}
await qzo.exportTuned(source, offsets, "tuned.gguf");
