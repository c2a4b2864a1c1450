/**
 * Measures training steps per second on a model of the size of stories260k, and the fraction of a run in which the device is idle, from its own
 * timestamps. A loop that must read losses back before it can update is limited to 1000 / 11.5 = 87 steps/s in Deno.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import {
  type Example,
  finetune,
  type Gpu,
  loadModel,
  openGpu,
  planOffsets,
  quantizedSource,
  qzoNormalised,
} from "../mod.ts";
import { ggufModelSource } from "../models/checkpoints/gguf/open_gguf.ts";
import { bytesSource } from "../quant/mod.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../tests/support/gguf_writer.ts";
import { permuteHeads, randomLlama } from "../tests/support/random_llama.ts";
import { describeMachine } from "./support/machine.ts";

const HELP = `Prints steps per second and idle share as a markdown table.

Usage: deno task bench steps [options]

  --steps N   steps of each run (default 1000)
  --help      this text`;

/** The shape of stories260k. */
const SHAPE = {
  hidden: 64,
  layers: 5,
  feedForward: 172,
  heads: 8,
  kvHeads: 4,
  vocabulary: 512,
  epsilon: 1e-5,
  ropeBase: 1e4,
  rope: "norm",
} as const;

interface Measured {
  readonly stepsPerSecond: number;
  readonly tokensPerSecond: number;
  /** Fraction of the time in which the device is idle. Undefined if it has no clock. */
  readonly idle: number | undefined;
}

function randomModel() {
  const weights = permuteHeads(SHAPE, randomLlama(SHAPE, { seed: 1, tied: true }));
  const bytes = ggufBytes(llamaMetadata(SHAPE), llamaF32Tensors(SHAPE, weights));
  return ggufModelSource(bytesSource(bytes as Uint8Array<ArrayBuffer>, "random stories260k"));
}

async function measure(
  gpu: Gpu,
  batchSize: number,
  length: number,
  steps: number,
): Promise<Measured> {
  using source = quantizedSource(await randomModel(), { format: "int4_g32" });
  using model = await loadModel(gpu, source);
  const optimiser = qzoNormalised();
  using offsets = planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
  const train = Array.from({ length: 256 }, (_, i): Example => ({
    prompt: Array.from({ length }, (_, j) => 3 + (i * 31 + j * 17) % 500),
    candidates: [[5], [6]],
    label: i % 2,
  }));
  let busy = 0;
  let first: number | undefined;
  let last = 0;
  let begun = 0;
  let timed = 0;
  let tokens = 0;
  const warm = Math.min(50, steps / 4);
  let chunks = 0;
  for await (
    const event of finetune({
      model,
      optimiser,
      offsets,
      objective: "classification",
      train,
      batchSize,
      steps,
      onChunkTimes: (times) => {
        // Exclude compilation and the first, short chunks.
        if (++chunks < 4) return;
        for (const { begin, end } of times) {
          first ??= begin;
          busy += end - begin;
          last = end;
        }
      },
    })
  ) {
    if (event.type !== "step") continue;
    if (event.step <= warm) begun = performance.now();
    else {
      timed++;
      tokens = event.tokensPerSecond;
    }
  }
  return {
    stepsPerSecond: timed / (performance.now() - begun) * 1000,
    tokensPerSecond: tokens,
    idle: first === undefined ? undefined : 1 - busy / (last - first),
  };
}

/** Prints the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["steps"],
    boolean: ["help"],
    default: { steps: "1000" },
  });
  if (args.help) return console.log(HELP);
  using gpu = await openGpu();
  console.log(`${await describeMachine(gpu.description)}\n`);
  console.log("| batch | steps/s | against 87/s | device idle |\n|---|---|---|---|");
  for (const [batchSize, length] of [[1, 8], [2, 16], [8, 16]]) {
    const { stepsPerSecond, idle } = await measure(gpu, batchSize, length, Number(args.steps));
    console.log(
      `| ${batchSize} x ${length} tokens, 2 branches | ${stepsPerSecond.toFixed(0)} | ${
        (stepsPerSecond / 87).toFixed(2)
      } | ${idle === undefined ? "no device clock" : `${(100 * idle).toFixed(1)} %`} |`,
    );
  }
}

if (import.meta.main) await main(Deno.args);
