/**
 * Measures what adapters add to a step: their noise, computation and update, in addition to the forward passes over a packed base. The comparison is
 * with steps that train one vector, interleaved, in processor time of this process and in wall time.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import process from "node:process";
import {
  type Example,
  type Gpu,
  loadModel,
  type Model,
  openGpu,
  planOffsets,
  quantizedSource,
  qzo,
} from "../mod.ts";
import {
  ia3Adapter,
  loraAdapter,
  packBatch,
  prefixAdapter,
  promptAdapter,
  startedAdapter,
} from "../models/mod.ts";
import { ggufModelSource } from "../models/checkpoints/gguf/open_gguf.ts";
import { bytesSource } from "../quant/mod.ts";
import { Trainer } from "../train/steps/trainer.ts";
import type { Selection } from "../train/selection.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../tests/support/gguf_writer.ts";
import { permuteHeads, randomLlama } from "../tests/support/random_llama.ts";
import { describeMachine } from "./support/machine.ts";

const HELP =
  `What LoRA, IA3, a prefix and a prompt add to a step of a model of 20 M weights, as a markdown table.

Usage: deno task bench lora [options]

  --rounds N   steps of each kind, taking turns (default 12)
  --help       this text`;

/** A shape with 20.0 M weights. */
const SHAPE = {
  hidden: 512,
  layers: 6,
  feedForward: 1376,
  heads: 8,
  kvHeads: 8,
  vocabulary: 1024,
  epsilon: 1e-5,
  ropeBase: 1e4,
  rope: "norm",
} as const;

function randomModel() {
  const weights = permuteHeads(SHAPE, randomLlama(SHAPE, { seed: 1, tied: true }));
  const bytes = ggufBytes(llamaMetadata(SHAPE), llamaF32Tensors(SHAPE, weights));
  return ggufModelSource(bytesSource(bytes as Uint8Array<ArrayBuffer>, "random, 20 M weights"));
}

/** Milliseconds of a step: processor time and wall time. */
interface Step {
  readonly processor: number;
  readonly clock: number;
}

/** A kind of step to time. */
interface Kind {
  readonly name: string;
  readonly step: () => Promise<Step>;
}

const TRAIN: readonly Example[] = Array.from({ length: 8 }, (_, i) => ({
  prompt: Array.from({ length: 31 }, (_, j) => 3 + (i * 31 + j * 17) % 1000),
  candidates: [[5], [6]],
  label: i % 2,
}));

function kindOf(
  gpu: Gpu,
  { name, model, selection }: {
    readonly name: string;
    readonly model: Model;
    readonly selection: Selection;
  },
  stack: DisposableStack,
): Kind {
  const optimiser = qzo({ learningRate: 1e-4, epsilon: 1e-2 });
  const planned = planOffsets(model, optimiser, gpu.maxBinding, selection);
  const offsets = stack.use(planned.allocate(gpu));
  const trainer = stack.use(new Trainer(model, optimiser, offsets, { seed: 1 }));
  const batch = packBatch(TRAIN, "classification", model);
  let made = 0;
  return {
    name: `${name}, ${offsets.scalars} scalars`,
    step: async () => {
      const [begun, used] = [performance.now(), process.cpuUsage()];
      trainer.enqueue(made++, batch);
      await trainer.drain();
      const { user, system } = process.cpuUsage(used);
      return { processor: (user + system) / 1000, clock: performance.now() - begun };
    },
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Prints the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["rounds"],
    boolean: ["help"],
    default: { rounds: "12" },
  });
  if (args.help) return console.log(HELP);
  using gpu = await openGpu();
  using source = quantizedSource(await randomModel(), { format: "Q4_0" });
  using stack = new DisposableStack();
  const base = stack.use(await loadModel(gpu, source));
  const beside = (options: Parameters<typeof loraAdapter>[1]) =>
    stack.use(base.withAdapter(loraAdapter(base, options)));
  const prefixed = await startedAdapter(base, prefixAdapter(base));
  const prompted = await startedAdapter(base, promptAdapter(base));
  const kinds = [
    {
      name: "one norm",
      model: base,
      selection: { kinds: ["norms"], include: ["output_norm.weight"] },
    },
    { name: "LoRA r 8, q and v", model: beside({ rank: 8 }), selection: {} },
    {
      name: "LoRA r 8, all linear layers",
      model: beside({ rank: 8, targets: "all-linear" }),
      selection: {},
    },
    { name: "IA3", model: stack.use(base.withAdapter(ia3Adapter(base))), selection: {} },
    { name: "prefix of 5", model: stack.use(base.withAdapter(prefixed)), selection: {} },
    { name: "prompt of 10", model: stack.use(base.withAdapter(prompted)), selection: {} },
    { name: "scales", model: base, selection: {} },
  ] as const;
  const made = kinds.map((kind) => kindOf(gpu, kind, stack));
  const steps = made.map((): Step[] => []);
  for (let round = -2; round < Number(args.rounds); round++) {
    for (const [i, { step }] of made.entries()) {
      const taken = await step();
      // The first steps include compilation.
      if (round >= 0) steps[i].push(taken);
    }
  }
  console.log(`${await describeMachine(gpu.description)}\n`);
  console.log("Llama, 6 layers, 512 wide, Q4_0; 8 examples of 32 tokens, 2 branches; medians.\n");
  console.log("| trained | processor ms a step | clock ms a step | processor, against one norm |");
  console.log("|---|---|---|---|");
  const first = median(steps[0].map(({ processor }) => processor));
  for (const [i, { name }] of made.entries()) {
    const processor = median(steps[i].map((one) => one.processor));
    const clock = median(steps[i].map((one) => one.clock));
    console.log(
      `| ${name} | ${processor.toFixed(0)} | ${clock.toFixed(0)} | ${
        ((processor / first - 1) * 100).toFixed(1)
      } % |`,
    );
  }
}

if (import.meta.main) await main(Deno.args);
