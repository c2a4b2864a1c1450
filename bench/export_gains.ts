/**
 * Measures how much of a fine-tune's gain a file keeps: a small model in every format is tuned, evaluated with the offsets of its ledger, written,
 * read again, and evaluated again.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { loadModel, openGpu, openModelSource, quantizedSource, qzoNormalised } from "../mod.ts";
import type { ModelSource } from "../models/mod.ts";
import { FORMATS } from "../quant/mod.ts";
import {
  evaluate,
  exportOffsets,
  finetune,
  offsetsFor,
  parseTrainConfig,
  taskExamples,
} from "../train/mod.ts";
import { tunedPath } from "../train/runs/export_run.ts";

const HELP =
  `Tunes a small model in every format, and compares the improvement with the ledger to that of the written file.

Usage: deno task bench export-gains [options]

  --only TEXT       formats whose name contains TEXT
  --from NAME       start at this format: each format takes about 10 s on two idle cores
  --steps N         steps of each run [60]
  --held-out N      held-out reviews [200]
  --model PATH      of F16 weights, whose tokenizer knows film reviews [demo/model.gguf]
  --span N          columns that share an offset [the optimiser's default]
`;

/** Runs the benchmark and prints a table in Markdown. */
export async function main(args: string[]): Promise<void> {
  const options = parseArgs(args, {
    string: ["only", "from", "steps", "held-out", "span", "model"],
    boolean: ["help"],
  });
  if (options.help) return console.log(HELP);
  const steps = Number(options.steps ?? 60);
  const span = options.span === undefined ? undefined : Number(options.span);
  const config = parseTrainConfig(
    `model: ${options.model ?? "demo/model.gguf"}
task: {template: "{sentence} It was{label}", labels: {"0": " terrible", "1": " great"}}
data: {folder: demo, train: reviews_train.jsonl, validation: reviews_test.jsonl}
max_length: 64`,
    "bench",
  );
  const gpu = await openGpu();
  const stored = await openModelSource(config.model);
  const folder = await Deno.makeTempDir();
  console.log(`| format | base | by ledger | written | gain kept | weights kept | offsets, rms |`);
  console.log(`|---|---|---|---|---|---|---|`);
  try {
    const first = options.from === undefined
      ? 0
      : FORMATS.findIndex(({ name }) => name === options.from);
    for (const { name, layout } of FORMATS.slice(Math.max(0, first))) {
      if (layout.kind === "dense" || !name.includes(options.only ?? "")) continue;
      // This format can be read, but weights are not quantised to it.
      if (name === "codebook1x16") continue;
      const source = quantizedSource(stored, { format: name });
      using model = await loadModel(gpu, source);
      const examples = await taskExamples(config, model.tokenizer!, {
        maxPositions: model.maxPositions,
      });
      const { objective } = examples;
      const held = examples.validation.examples.slice(0, Number(options["held-out"] ?? 200));
      const train = examples.train.examples;
      const optimiser = qzoNormalised({ form: "relative", learningRate: 0.004 });
      const selection = span === undefined ? {} : { span };
      using offsets = await offsetsFor(model, optimiser, { selection, train, objective });
      const run = finetune({
        ...{ model, optimiser, offsets, objective, train, steps, batchSize: 8, seed: 0 },
      });
      for await (const _ of run);
      const at = async (over: typeof model, own?: typeof offsets) =>
        (await evaluate(over, held, { objective, ...(own ? { offsets: own } : {}) })).loss;
      const [base, ledger] = [await at(model), await at(model, offsets)];
      const path = tunedPath(folder, { source });
      const { kept } = await exportOffsets({ gpu, source, model }, offsets, path);
      const written = await reopened(path, (file) =>
        loadModel(gpu, file).then(async (tuned) => {
          using _ = tuned;
          return await at(tuned);
        }));
      await Deno.remove(path, { recursive: true });
      const share = (base - written) / (base - ledger);
      const losses = [base, ledger, written].map((loss) => loss.toFixed(4));
      const shares = [share, kept].map((it) => `${(100 * it).toFixed(0)} %`);
      const size = `${(100 * rms([...(await offsets.read()).values()])).toFixed(1)} %`;
      console.log(`| ${[name, ...losses, ...shares, size].join(" | ")} |`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
    stored[Symbol.dispose]();
    gpu[Symbol.dispose]();
  }
}

function rms(arrays: readonly Float32Array[]): number {
  const count = arrays.reduce((sum, { length }) => sum + length, 0);
  const squares = arrays.flatMap((array) => [array.reduce((sum, x) => sum + x * x, 0)]);
  return Math.sqrt(squares.reduce((sum, x) => sum + x, 0) / count);
}

async function reopened<T>(path: string, use: (file: ModelSource) => Promise<T>): Promise<T> {
  using file = await openModelSource(path);
  return await use(file);
}
