/**
 * Measures the cost of exact derivatives: steps along tangents and gradients against steps of two forward passes, with one model and one batch,
 * interleaved, in processor time of this process and in wall time.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import {
  type Example,
  type Gpu,
  loadModel,
  type Model,
  openGpu,
  planOffsets,
  quantizedSource,
} from "../mod.ts";
import { forwardGrad, foSgd, mezo, type Optimiser } from "../optim/mod.ts";
import { compileGraph, Graph, SHADER_LIBRARY, Storage } from "../kernels/mod.ts";
import { submitPlan } from "../kernels/device/submit_plan.ts";
import { GradientSet } from "../kernels/offsets/gradient_set.ts";
import { type GradientOptions, recordGradient } from "../models/gradient.ts";
import { packBatch } from "../models/mod.ts";
import { Trainer } from "../train/steps/trainer.ts";
import { runTorchScript } from "./reference/torch.ts";
import { describeMachine } from "./support/machine.ts";
import { RANDOM_SHAPE, randomModel, textOf } from "./support/random_model.ts";
import { median, type Taken, timed } from "./support/timing.ts";

const HELP = `Prints the cost of exact derivatives as a markdown table.

Usage: deno task bench derivatives [options]

  --rounds N     steps of each kind, taking turns (default 6)
  --tokens N     tokens per sequence (default 64)
  --sequences N  sequences per batch (default 8)
  --format NAME  format of the weights (default Q4_0: one scale per 32)
  --kinds N      only the first N rows of the table
  --torch        PyTorch's autograd over dense weights of the same shape beside them, on one thread (needs PyTorch)
  --small        use a model with 0.1 M weights instead of 20 M, to check that it runs
  --help         this text`;

const LARGE = { ...RANDOM_SHAPE, hidden: 512, layers: 6, feedForward: 1376, heads: 8, kvHeads: 8 };
const SMALL = { ...RANDOM_SHAPE, hidden: 64, layers: 2, feedForward: 128, heads: 4, kvHeads: 4 };

/** An optimiser, whose steps are timed, or what gradients alone store from the forward pass. */
type Kind = Optimiser | { readonly checkpoints: GradientOptions["checkpoints"] };

const kinds = (): readonly (readonly [string, Kind])[] => [
  ["mezo: two forwards", mezo()],
  ["forwardGrad: value and tangent", forwardGrad()],
  ["foSgd: value and gradient, a block computed again at a time", foSgd()],
  ["value and gradient alone, all of the forward kept", { checkpoints: "all" }],
  ["mezo, 4 directions: eight forwards", mezo({ queries: 4 })],
  ["forwardGrad, 4 directions: value and four tangents", forwardGrad({ queries: 4 })],
];

/** Returns a function that evaluates a batch and its gradient, without a step. */
function gradients(
  gpu: Gpu,
  model: Model,
  options: GradientOptions,
  examples: readonly Example[],
  stack: DisposableStack,
): () => Promise<void> {
  const { shape, words } = packBatch(examples, "language-modelling", 4096);
  const storage = (label: string, bytes: number) =>
    stack.use(new Storage(label, bytes, "activations").allocate(gpu));
  const batch = storage("batch", words.byteLength);
  gpu.write(batch.buffer, words);
  const losses = storage("losses", 16);
  const target = { losses, scores: storage("scores", 16 * shape.candidates) };
  const offsets = stack.use(planOffsets(model, foSgd(), gpu.maxBinding, {}).allocate(gpu));
  const slopes = stack.use(new GradientSet(offsets).allocate(gpu));
  const graph = new Graph();
  slopes.clear(graph);
  recordGradient(graph, model, shape, batch, target, offsets, slopes, options);
  const plan = stack.use(compileGraph(gpu, graph, SHADER_LIBRARY));
  return async () => {
    submitPlan(gpu, plan);
    await gpu.read([{ buffer: losses.buffer }]);
  };
}

function steps(
  gpu: Gpu,
  model: Model,
  optimiser: Optimiser,
  examples: readonly Example[],
  stack: DisposableStack,
): () => Promise<void> {
  const offsets = stack.use(planOffsets(model, optimiser, gpu.maxBinding, {}).allocate(gpu));
  const trainer = stack.use(new Trainer(model, optimiser, offsets, { seed: 1 }));
  const batch = packBatch(examples, "language-modelling", 4096);
  let made = 0;
  return async () => {
    trainer.enqueue(made++, batch);
    await trainer.drain();
  };
}

/** Times of PyTorch for a model of the same shape with dense weights. */
async function torchTimes(
  shape: typeof LARGE,
  { tokens, sequences, rounds }: Readonly<Record<"tokens" | "sequences" | "rounds", string>>,
): Promise<(Taken & { readonly name: string })[]> {
  const config = {
    ...shape,
    keyValueHeads: shape.kvHeads,
    headDimension: shape.hidden / shape.heads,
    rmsEpsilon: shape.epsilon,
    ropeTheta: shape.ropeBase,
    ropeInterleaved: true,
    tiedHead: true,
  };
  const sizes = Object.entries({ tokens, sequences, rounds }).flatMap(([key, value]) => [
    `--${key}`,
    value,
  ]);
  const text = await runTorchScript("time_torch.py", [JSON.stringify(config), ...sizes]);
  const { torch, forward, gradient } = JSON.parse(text);
  return [
    { name: `PyTorch ${torch}: a forward, dense weights`, ...forward },
    { name: `PyTorch ${torch}: value and gradient by autograd, dense weights`, ...gradient },
  ];
}

/** Prints the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["rounds", "tokens", "sequences", "format", "kinds"],
    boolean: ["help", "small", "torch"],
    default: { rounds: "6", tokens: "64", sequences: "8", format: "Q4_0", kinds: "6" },
  });
  if (args.help) return console.log(HELP);
  using gpu = await openGpu();
  const shape = args.small ? SMALL : LARGE;
  using source = quantizedSource(await randomModel(shape), { format: args.format });
  using stack = new DisposableStack();
  const model = stack.use(await loadModel(gpu, source));
  const examples = textOf(Number(args.sequences), Number(args.tokens));
  const made = kinds().slice(0, Number(args.kinds)).map(([name, rule]) => ({
    name,
    run: "checkpoints" in rule
      ? gradients(gpu, model, rule, examples, stack)
      : steps(gpu, model, rule, examples, stack),
    times: [] as Taken[],
  }));
  for (let round = -1; round < Number(args.rounds); round++) {
    for (const { run, times } of made) {
      const taken = await timed(run);
      // The first round includes compilation.
      if (round >= 0) times.push(taken);
    }
  }
  const others = args.torch ? await torchTimes(shape, args) : [];
  console.log(`${await describeMachine(gpu.description)}\n`);
  console.log(
    `Llama, ${shape.layers} layers, ${shape.hidden} wide, ${args.format}; ${args.sequences} sequences of ${args.tokens} tokens, scales trained; medians. ` +
      "A forward is half of mezo's step.\n",
  );
  console.log("| step | processor ms | clock ms | forwards |");
  console.log("|---|---|---|---|");
  const forward = median(made[0].times.map(({ processor }) => processor)) / 2;
  const all = made.map(({ name, times }) => ({
    name,
    processor: median(times.map((one) => one.processor)),
    clock: median(times.map((one) => one.clock)),
  }));
  for (const { name, processor, clock } of [...all, ...others]) {
    console.log(
      `| ${name} | ${processor.toFixed(0)} | ${clock.toFixed(0)} | ${
        (processor / forward).toFixed(2)
      } |`,
    );
  }
}

if (import.meta.main) await main(Deno.args);
