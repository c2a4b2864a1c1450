/**
 * A fine-tune in a process of its own, to be killed: `train_child.ts <ledger>`. Says "ready" when
 * it is about to create the ledger, and "begun" after the first step.
 *
 * @module
 */
import { openGpu } from "../../kernels/mod.ts";
import type { Model } from "../../models/mod.ts";
import { adam, normaliseByRms, type Optimiser, optimiser, spsa } from "../../optim/mod.ts";
import { finetune, type FinetuneOptions, LedgerFile } from "../../train/mod.ts";
import { loadTiny, tinyExamples, tinyHeader, tinyOffsets } from "../train/tiny_model.ts";

/** Steps of the whole fine-tune. */
export const childSteps = 75;

/** What is trained, and how: the same in the child and where it is resumed. */
export function childOptions(
  model: Model,
): Omit<FinetuneOptions, "offsets"> & { readonly optimiser: Optimiser } {
  return {
    model,
    // With a scalar of state in each record, and state per offset that only a replay brings back.
    optimiser: optimiser({
      name: "killed",
      estimator: spsa({ epsilon: 0.02 }),
      transformations: [normaliseByRms()],
      update: adam({ learningRate: 0.02 }),
      form: "relative",
      projection: "keep-sign",
    }),
    objective: "classification",
    train: tinyExamples(64),
    batchSize: 16,
    steps: childSteps,
    seed: 11,
    // Nothing is held out: it only keeps chunks short, so that the ledger grows often.
    evaluateEvery: 3,
  };
}

if (import.meta.main) {
  using gpu = await openGpu();
  using model = await loadTiny(gpu);
  const options = childOptions(model);
  using offsets = tinyOffsets(model, options.optimiser);
  console.log("ready");
  using ledger = await LedgerFile.create(
    Deno.args[0],
    tinyHeader(model, options.optimiser, offsets, options.seed),
  );
  for await (const event of finetune({ ...options, offsets, ledger })) {
    if (event.type === "step" && event.step === 1) console.log("begun");
  }
}
