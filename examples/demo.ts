/**
 * The demo: quantises the bundled model to 4 bits, fine-tunes its scales on the bundled reviews with QZO, writes ledger, curve and
 * tuned model, and replays the ledger on a fresh copy of the base to the same bits.
 *
 * Run: `sh run.sh demo` (or `deno task demo`). `--seed N` picks the seed, `--seeds N` runs N of them and prints a table,
 * `--steps N`, `--output FOLDER`.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { lossCurveSvg } from "../show/plot.ts";
import { ProgressLine } from "../show/progress.ts";
import { writeFileWhole } from "../models/checkpoints/disk/files.ts";
import {
  evaluate,
  exportTuned,
  finetune,
  LedgerFile,
  linear,
  loadModel,
  offsetsFor,
  openGpu,
  openLedger,
  openModelSource,
  quantizedSource,
  qzoNormalised,
  readExamples,
  renderExample,
  replayLedger,
  replayOnHost,
  tokeniseExample,
  writeModel,
} from "../mod.ts";

const DEMO = new URL("../demo/", import.meta.url);
const TEMPLATE = {
  name: "reviews",
  prompt: "{sentence} It was",
  labels: { "0": " terrible", "1": " great" },
};
const HELP = `The demo of QZO for Deno.

Usage: sh run.sh demo [options]

  --seed N        seed of noise and order (default 1)
  --seeds N       run seeds 1 to N and print a table
  --steps N       training steps (default 400)
  --output FOLDER where to write (default runs/demo)
  --help          this text

Examples: sh run.sh demo
          sh run.sh demo --seeds 3 --output runs/three`;

/** One seed's figures. */
interface Outcome {
  readonly seed: number;
  readonly before: number;
  readonly after: number;
  readonly beforeLoss: number;
  readonly afterLoss: number;
  readonly seconds: number;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

async function examples(file: string, encode: Parameters<typeof tokeniseExample>[0]) {
  const text = await Deno.readTextFile(new URL(file, DEMO));
  return readExamples(text, "jsonl", { name: file })
    .map((row) => tokeniseExample(encode, renderExample(TEMPLATE, row)));
}

async function run(seed: number, steps: number, output: string): Promise<Outcome> {
  await Deno.mkdir(output, { recursive: true });
  const path = (name: string) => join(output, name);
  await Deno.remove(path("run.ledger")).catch(() => {});

  using gpu = await openGpu();
  // The base that is tuned: the bundled 16-bit model rounded to Q4_0, as a file of its own.
  using original = await openModelSource(new URL("model.gguf", DEMO).pathname);
  const { bitsPerWeight } = await writeModel(
    quantizedSource(original, { format: "Q4_0" }),
    path("base.gguf"),
  );
  using source = await openModelSource(path("base.gguf"));
  using model = await loadModel(gpu, source);
  const train = await examples("reviews_train.jsonl", model.tokenizer!);
  const test = await examples("reviews_test.jsonl", model.tokenizer!);
  const optimiser = qzoNormalised({
    learningRate: linear(0.02, { total: steps, warmup: Math.min(20, steps) }),
  });
  using offsets = await offsetsFor(model, optimiser);
  console.log(
    `Model: ${path("base.gguf")}, ${
      bitsPerWeight.toFixed(2)
    } bits per weight, on ${gpu.description}\n` +
      `Trained: ${offsets.scalars} scales (${offsets.trainables.length} matrices), ${train.length} reviews, ${steps} steps of 16, seed ${seed}`,
  );

  const options = { objective: "classification", batchSize: 32 } as const;
  const before = await evaluate(model, test, options);
  console.log(
    `Before: ${percent(before.accuracy!.accuracy)} of ${test.length} held-out reviews, loss ${
      before.loss.toFixed(3)
    }`,
  );

  const begun = performance.now();
  const curve: { step: number; loss: number }[] = [];
  {
    const data = "demo/reviews_train.jsonl, batches of 16";
    const about = { model, optimiser, offsets, seed, data };
    using ledger = await LedgerFile.create(path("run.ledger"), about);
    using bar = new ProgressLine();
    for await (
      const event of finetune({
        model,
        optimiser,
        offsets,
        objective: "classification",
        train,
        batchSize: 16,
        steps,
        seed,
        ledger,
      })
    ) {
      if (event.type !== "step") continue;
      curve.push(event);
      bar.show({
        step: event.step,
        total: steps,
        seconds: event.seconds,
        countedFrom: 1,
        loss: mean(curve.slice(-50).map((c) => c.loss)),
        tokensPerSecond: event.tokensPerSecond,
        memory: gpu.memory.total,
      });
    }
  }
  const seconds = (performance.now() - begun) / 1000;
  const after = await evaluate(model, test, { ...options, offsets });
  console.log(
    `After:  ${percent(after.accuracy!.accuracy)} (95 % interval ${
      percent(after.accuracy!.low)
    } to ${percent(after.accuracy!.high)}), loss ${after.loss.toFixed(3)}, ${
      seconds.toFixed(0)
    } s for ${2 * steps} forwards`,
  );

  const tuned = await offsets.read();
  const counts = await exportTuned(source, offsets, path("tuned.gguf"));
  const evaluations = [before, after].map(({ loss, accuracy }, i) => ({
    step: i * steps,
    loss,
    accuracy: accuracy!.accuracy,
  }));
  await writeFileWhole(path("curve.svg"), [
    new TextEncoder().encode(
      lossCurveSvg({ steps: curve, evaluations }, { title: `QZO demo, seed ${seed}` }),
    ),
  ]);
  console.log(
    `Wrote ${path("run.ledger")} (${(await Deno.stat(path("run.ledger"))).size} bytes), ${
      path("curve.svg")
    }, ${
      path("tuned.gguf")
    } (${counts.changed} scales changed, ${counts.swallowed} offsets too small for 16 bits)`,
  );

  // A fresh copy of the base: nothing of the run but the ledger.
  using again = await openModelSource(path("base.gguf"));
  using fresh = await loadModel(gpu, again);
  const ledger = await openLedger(path("run.ledger"));
  using replayed = await replayLedger(fresh, ledger);
  const device = sameBits(tuned, await replayed.read(gpu));
  const host = sameBits(tuned, await replayOnHost(again, ledger));
  console.log(
    `Replay of the ledger on a fresh base: device ${device ? "same bits" : "DIFFERS"}, host ${
      host ? "same bits" : "DIFFERS"
    }`,
  );
  if (!device || !host) throw new Error("The replayed offsets differ from the trained ones");
  return {
    seed,
    before: before.accuracy!.accuracy,
    after: after.accuracy!.accuracy,
    beforeLoss: before.loss,
    afterLoss: after.loss,
    seconds,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function sameBits(
  a: ReadonlyMap<string, Float32Array>,
  b: ReadonlyMap<string, Float32Array>,
): boolean {
  return a.size === b.size && [...a].every(([name, values]) => {
    const others = b.get(name);
    return others !== undefined && values.length === others.length &&
      values.every((value, i) => Object.is(value, others[i]));
  });
}

if (import.meta.main) {
  const args = parseArgs(Deno.args, {
    string: ["seed", "seeds", "steps", "output"],
    boolean: ["help"],
    default: { seed: "1", steps: "400", output: "runs/demo" },
  });
  if (args.help) {
    console.log(HELP);
    Deno.exit(0);
  }
  const steps = Number(args.steps);
  const seeds = args.seeds
    ? Array.from({ length: Number(args.seeds) }, (_, i) => i + 1)
    : [Number(args.seed)];
  if (![steps, ...seeds].every((n) => Number.isSafeInteger(n) && n >= 1) || seeds.length === 0) {
    console.error(
      `Cannot run the demo with ${args.steps} steps and seeds ${
        args.seeds ?? args.seed
      }: whole numbers from 1`,
    );
    Deno.exit(1);
  }
  const outcomes: Outcome[] = [];
  for (const seed of seeds) {
    outcomes.push(
      await run(seed, steps, seeds.length > 1 ? join(args.output, `seed${seed}`) : args.output),
    );
  }
  if (outcomes.length > 1) {
    console.log(
      "\n| seed | accuracy before | after | loss before | after | seconds |\n|---|---|---|---|---|---|",
    );
    for (const o of outcomes) {
      console.log(
        `| ${o.seed} | ${percent(o.before)} | ${percent(o.after)} | ${o.beforeLoss.toFixed(3)} | ${
          o.afterLoss.toFixed(3)
        } | ${o.seconds.toFixed(0)} |`,
      );
    }
  }
}
