/**
 * Makes ten thousand steps of a tiny model with evaluations in between, and checks that the memory of the process and of the device does not grow.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parseArgs } from "@std/cli";
import {
  type Example,
  finetune,
  type Gpu,
  LedgerFile,
  ledgerHeader,
  loadModel,
  openGpu,
  planOffsets,
  quantizedSource,
  qzoNormalised,
} from "../mod.ts";
import { ggufModelSource } from "../models/checkpoints/gguf/open_gguf.ts";
import { bytesSource } from "../quant/mod.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../tests/support/gguf_writer.ts";
import { permuteHeads, randomLlama, TINY_LLAMA } from "../tests/support/random_llama.ts";
import { describeMachine } from "./support/machine.ts";

const HELP = `Prints the memory of a long fine-tune as a markdown table.

Usage: deno task bench soak [options]

  --steps N            steps (default 10000)
  --evaluate-every N   steps between evaluations, and between rows of the table (default 500)
  --help               this text

Garbage is collected before each row, so what remains is held. The last line says whether memory was flat; if not, the exit code is 1.`;

/** Maximum growth of the process between the second fifth and the last, for pages that its allocators keep. */
const MOST_GROWTH_MIB = 6;

/** One row of the table. */
interface Sample {
  readonly step: number;
  readonly seconds: number;
  /** Resident memory of the process in MiB. */
  readonly resident: number;
  /** Used memory of the JavaScript heap in MiB. */
  readonly heap: number;
  /** Allocated device memory in KiB. */
  readonly device: number;
}

/** Collects garbage, including wrapped native objects, which V8 can leave for up to 60,000 steps because it does not know their size. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}

function sample(gpu: Gpu, step: number, begun: number): Sample {
  const { rss, heapUsed } = Deno.memoryUsage();
  const device = gpu.memory.total;
  return {
    step,
    seconds: (performance.now() - begun) / 1000,
    resident: rss / 2 ** 20,
    heap: heapUsed / 2 ** 20,
    device: device / 2 ** 10,
  };
}

/** The mean over one fifth of the samples. */
function fifth(values: readonly number[], which: 2 | 5): number {
  const size = Math.max(1, Math.floor(values.length / 5));
  const part = values.slice((which - 1) * size, which === 5 ? undefined : which * size);
  return part.reduce((a, b) => a + b, 0) / part.length;
}

/** Prints the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["steps", "evaluate-every"],
    boolean: ["help"],
    default: { steps: "10000", "evaluate-every": "500" },
  });
  if (args.help) return console.log(HELP);
  const [steps, evaluateEvery] = [Number(args.steps), Number(args["evaluate-every"])];
  using gpu = await openGpu();
  const weights = permuteHeads(TINY_LLAMA, randomLlama(TINY_LLAMA, { seed: 1, tied: true }));
  const bytes = ggufBytes(llamaMetadata(TINY_LLAMA), llamaF32Tensors(TINY_LLAMA, weights));
  const dense = await ggufModelSource(bytesSource(bytes, "soak.gguf"));
  using source = quantizedSource(dense, { format: "Q4_0" });
  using model = await loadModel(gpu, source);
  const optimiser = qzoNormalised();
  using offsets = planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
  // Lengths vary, so that several batch shapes occur.
  const examples = (count: number, seed: number) =>
    Array.from({ length: count }, (_, i): Example => ({
      prompt: Array.from({ length: 4 + (i * 7) % 9 }, (_, j) => 3 + (i * 31 + j * 17 + seed) % 120),
      candidates: [[5], [6]],
      label: i % 2,
    }));
  const folder = await Deno.makeTempDir();
  const samples: Sample[] = [];
  const collect = collector();
  console.log(`${await describeMachine(gpu.description)}\n`);
  console.log("| step | s | resident MiB | heap MiB | device KiB |\n|---|---|---|---|---|");
  try {
    const header = ledgerHeader({ model, optimiser, offsets, seed: 0 });
    using ledger = await LedgerFile.create(`${folder}/soak.ledger`, header);
    const begun = performance.now();
    const options = { model, optimiser, offsets, ledger, steps, evaluateEvery, batchSize: 4 };
    for await (
      const event of finetune({
        ...options,
        objective: "classification",
        train: examples(256, 0),
        validation: examples(64, 1),
      })
    ) {
      if (event.type !== "evaluation") continue;
      collect();
      const now = sample(gpu, event.step, begun);
      samples.push(now);
      const { step, seconds, resident, heap, device } = now;
      const numbers = [seconds.toFixed(0), resident.toFixed(1), heap.toFixed(1), device.toFixed(1)];
      console.log(`| ${[step, ...numbers].join(" | ")} |`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const resident = samples.map((it) => it.resident);
  const growth = fifth(resident, 5) - fifth(resident, 2);
  const device = samples.slice(Math.floor(samples.length / 5)).map((it) => it.device);
  const deviceGrowth = Math.max(...device) - device[0];
  const flat = growth <= MOST_GROWTH_MIB && deviceGrowth === 0;
  console.log(
    `\n${flat ? "Flat" : "NOT flat"}: from the second fifth to the last, the process grew by ${
      growth.toFixed(1)
    } MiB (at most ${MOST_GROWTH_MIB} allowed) and the device's account by ${
      deviceGrowth.toFixed(1)
    } KiB (none allowed).`,
  );
  if (!flat) Deno.exitCode = 1;
}

if (import.meta.main) await main(Deno.args);
