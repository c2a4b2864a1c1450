/**
 * A fine-tune in fifteen lines: `deno run --allow-read --allow-write --allow-env examples/finetune.ts model.gguf data/sst2`.
 *
 * @module
 */
import * as qzo from "@qzo/qzo";

using gpu = await qzo.openGpu();
using source = await qzo.openModelSource(Deno.args[0]);
using model = await qzo.loadModel(gpu, source);
const texts = await qzo.loadTask(qzo.builtInTask("sst2"), "train", Deno.args[1]);
const train = texts.map((text) => qzo.tokeniseExample(model.tokenizer!, text));
const optimiser = qzo.qzoNormalised({ learningRate: qzo.linear(0.02, { total: 250 }) });
using offsets = qzo.planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
const header = qzo.ledgerHeader({ model, optimiser, offsets });
using ledger = await qzo.LedgerFile.create("run.ledger", header);
const options = { model, optimiser, offsets, train, ledger, steps: 250 };
for await (const event of qzo.finetune({ ...options, objective: "classification" })) {
  if (event.type === "step") console.log(event.step, event.loss.toFixed(3));
}
const trained = qzo.trainedTensors(offsets.trainables, await offsets.read(gpu));
await qzo.exportTuned(source, trained, "tuned.gguf");
