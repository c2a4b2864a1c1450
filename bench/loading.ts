/**
 * What looking at every byte costs while a model is loaded: the fingerprint and the check for weights that are not finite.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { bytesSource, hasNonFinite } from "../quant/mod.ts";
import { type Gpu, openGpu } from "../kernels/mod.ts";
import { loadModel, openModelSource, quantizedSource, writeModel } from "../models/mod.ts";
import { ggufModelSource } from "../models/checkpoints/gguf/open_gguf.ts";
import { loadTensors, planModel } from "../models/inference/model.ts";

import { rowsOf } from "../models/checkpoints/checkpoint.ts";
import { ggufOf } from "../tests/models/small_model.ts";
import { randomLlama } from "../tests/support/random_llama.ts";
import { describeMachine } from "./support/machine.ts";

const HELP =
  `Time to load models of random weights from the page cache, with and without what looks at their bytes, as a markdown table.

Usage: deno task bench loading [options]

  --formats LIST   comma-separated (default F16,Q4_0,Q4_K)
  --layers N       layers of 13 M weights (default 12)
  --rounds N       how often each is loaded, all ways in turn (default 15)
  --folder DIR     where the models are written, some 500 MB (default a temporary folder, removed at the end)
  --help           this text

Medians. With the fingerprint, dense weights are looked through for NaN and infinity by the worker that hashes them; without it, and other
formats always, by the thread that loads.`;

const SHAPE = {
  hidden: 1024,
  feedForward: 3072,
  heads: 8,
  kvHeads: 8,
  vocabulary: 320,
  epsilon: 1e-5,
  ropeBase: 1e4,
  rope: "norm",
} as const;

type Way = "without" | "with";

/** Prints the table. */
export async function main(args: string[]): Promise<void> {
  const options = parseArgs(args, {
    string: ["formats", "layers", "rounds", "folder"],
    boolean: ["help"],
    default: { formats: "F16,Q4_0,Q4_K", layers: "12", rounds: "15" },
  });
  if (options.help) return console.log(HELP);
  const rounds = Number(options.rounds);
  const folder = options.folder ?? await Deno.makeTempDir({ prefix: "qzo-loading-" });
  try {
    using gpu = await openGpu();
    console.log(await describeMachine(gpu.description));
    console.log(
      "\n| format | MiB | without, ms | with, ms | the fingerprint costs | look for NaN on one thread, ms |",
    );
    console.log("|---|---|---|---|---|---|");
    const shape = { ...SHAPE, layers: Number(options.layers) };
    const weights = await ggufModelSource(
      bytesSource(ggufOf(shape, randomLlama(shape, { tied: true })), "random"),
    );
    for (const format of options.formats.split(",")) {
      const path = join(folder, `${format}.gguf`);
      await writeModel(quantizedSource(weights, { format }), path);
      const times: Record<Way, number[]> = { without: [], with: [] };
      const looks: number[] = [];
      const ways = Object.keys(times) as Way[];
      for (let round = -2; round < rounds; round++) {
        for (let i = 0; i < ways.length; i++) {
          const way = ways[(i + round + ways.length) % ways.length];
          const time = await load(gpu, path, way);
          if (round >= 0) times[way].push(time);
        }
        if (round >= 0) looks.push(await look(path));
      }
      const [without, whole] = ways.map((way) => median(times[way]));
      const mib = (await Deno.stat(path)).size / 2 ** 20;
      const cells = [
        format,
        mib.toFixed(0),
        without.toFixed(0),
        whole.toFixed(0),
        `${(100 * (whole - without) / without).toFixed(1)} %`,
        median(looks).toFixed(1),
      ];
      console.log(`| ${cells.join(" | ")} |`);
    }
  } finally {
    if (options.folder === undefined) await Deno.remove(folder, { recursive: true });
  }
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Milliseconds from an open file to weights on the device. */
async function load(gpu: Gpu, path: string, way: Way): Promise<number> {
  using source = await openModelSource(path);
  // What the load before left is freed on its own time.
  gpu.device.queue.submit([]);
  await gpu.device.queue.onSubmittedWorkDone();
  collect();
  const before = performance.now();
  if (way === "with") {
    using _ = await loadModel(gpu, source);
    return performance.now() - before;
  }
  using held = new DisposableStack();
  const { tensors } = planModel(source, gpu);
  for (const tensor of tensors.values()) held.use(tensor);
  for await (const _ of loadTensors(gpu, source.tensors, tensors.values()));
  gpu.check();
  return performance.now() - before;
}

/** Milliseconds that the look for weights that are not finite takes, reading aside. */
async function look(path: string): Promise<number> {
  using source = await openModelSource(path);
  let sum = 0;
  for (const tensor of source.tensors.values()) {
    for await (const { packed } of rowsOf(tensor)) {
      const before = performance.now();
      hasNonFinite(packed);
      sum += performance.now() - before;
    }
  }
  return sum;
}

function median(of: readonly number[]): number {
  return of.toSorted((a, b) => a - b)[of.length >> 1];
}
