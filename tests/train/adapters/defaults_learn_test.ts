// With nothing chosen but the scheme, an adapter beside the bundled model at four bits learns the bundled task in some 150 forwards.
import { assert } from "@std/assert";
import { openGpu } from "../../../kernels/mod.ts";
import {
  loadModel,
  openModelSource,
  quantizedSource,
  startedAdapter,
} from "../../../models/mod.ts";
import type { OptimiserName } from "../../../optim/mod.ts";
import { loadExamples } from "../../../tasks/mod.ts";
import { readTrainConfig } from "../../../train/config/schema.ts";
import {
  configuredAdapter,
  evaluate,
  finetune,
  offsetsFor,
  optimiserOfConfig,
  selectionOfConfig,
} from "../../../train/mod.ts";
import { allCases, sampled } from "../../support/sampled.ts";

const FORWARDS = 144;

const task = {
  name: "reviews",
  template: {
    name: "reviews",
    prompt: "{sentence} It was",
    labels: { "0": " terrible", "1": " great" },
  },
  format: "jsonl",
  files: { train: "reviews_train.jsonl", dev: "reviews_test.jsonl" },
} as const;

interface Case {
  readonly scheme: string;
  readonly optimiser: OptimiserName;
}

const cases: readonly Case[] = [
  ...["lora", "ia3", "prefix", "prompt"].map((scheme) => ({
    scheme,
    optimiser: "qzoPlus" as const,
  })),
  { scheme: "lora", optimiser: "qzoNormalised" },
];

for (const { scheme, optimiser: name } of sampled("defaults", cases, 0.2)) {
  Deno.test(`${scheme} by ${name} with their defaults learns the bundled task`, async () => {
    using gpu = await openGpu();
    using source = await openModelSource("demo/model.gguf");
    using base = await loadModel(gpu, quantizedSource(source, { format: "Q4_0" }));
    const read = (split: "train" | "dev") => loadExamples(source.tokenizer, task, split, "demo");
    const [train, heldOut] = [await read("train"), (await read("dev")).slice(0, 100)];
    const configOf = (steps: number) =>
      readTrainConfig({
        ...{ model: "demo/model.gguf", scheme, steps, batch_size: 8 },
        optimiser: { name, schedule: { kind: "linear" } },
      }, "test");
    const { evaluations } = optimiserOfConfig(configOf(1));
    const config = configOf(Math.floor(FORWARDS / evaluations));
    const optimiser = optimiserOfConfig(config);
    using model = base.withAdapter(
      await startedAdapter(base, configuredAdapter(config, base)!),
    );
    using offsets = await offsetsFor(model, optimiser, { selection: selectionOfConfig(config) });
    const settings = { objective: "classification", batchSize: 8 } as const;
    const before = await evaluate(model, heldOut, settings);
    const steps = finetune({
      ...{ model, optimiser, offsets, train, steps: config.steps, seed: 1, keepBest: false },
      ...settings,
    });
    for await (const _ of steps);
    const after = await evaluate(model, heldOut, { ...settings, offsets });
    if (allCases) {
      console.log(`${scheme} ${name}: ${before.loss.toFixed(4)} -> ${after.loss.toFixed(4)}`);
    }
    assert(after.loss < before.loss - 0.02, `${before.loss} became ${after.loss}`);
  });
}
