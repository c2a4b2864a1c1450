/**
 * Measures the cost of examining every byte while a model is loaded: the fingerprint and the check for weights that are not finite. Each load is the
 * first in its process, as for users. A second load would be three times as fast, because it reuses memory that the first has touched.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { bytesSource } from "../quant/mod.ts";
import { openGpu } from "../kernels/mod.ts";
import { openModelSource, quantizedSource, writeModel } from "../models/mod.ts";
import { ggufModelSource } from "../models/checkpoints/gguf/open_gguf.ts";
import { BaseHash } from "../models/checkpoints/fingerprint.ts";
import { loadTensors } from "../models/inference/load_tensors.ts";
import { loadConstants, planModel } from "../models/inference/model.ts";
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

What is done beside loading is given in percent of loading without it: the median over rounds of the difference within a round, and an
interval of 95 %. With the fingerprint, dense weights of models above 256 MiB are looked through for NaN and infinity by the worker that
hashes them, else by the thread that loads.`;

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

/** What is computed while tensors are loaded. Everything else is the same. */
const WAYS = {
  neither: { fingerprint: false, look: false },
  "look for NaN": { fingerprint: false, look: true },
  fingerprint: { fingerprint: true, look: false },
  both: { fingerprint: true, look: true },
} as const;
type Way = keyof typeof WAYS;
const ways = Object.keys(WAYS) as Way[];

/** Prints the table. */
export async function main(args: string[]): Promise<void> {
  const options = parseArgs(args, {
    string: ["formats", "layers", "rounds", "folder", "once"],
    boolean: ["help"],
    default: { formats: "F16,Q4_0,Q4_K", layers: "12", rounds: "15" },
  });
  if (options.help) return console.log(HELP);
  if (options.once) return console.log(await load(`${options._[0]}`, options.once as Way));
  const rounds = Number(options.rounds);
  const folder = options.folder ?? await Deno.makeTempDir({ prefix: "qzo-loading-" });
  try {
    {
      using gpu = await openGpu();
      console.log(await describeMachine(gpu.description));
    }
    console.log(`\n| format | MiB | ${ways[0]}, ms | ${ways.slice(1).join(" | ")} |`);
    console.log("|---|---|---|---|---|---|");
    const shape = { ...SHAPE, layers: Number(options.layers) };
    const weights = await ggufModelSource(
      bytesSource(ggufOf(shape, randomLlama(shape, { tied: true })), "random"),
    );
    for (const format of options.formats.split(",")) {
      const path = join(folder, `${format}.gguf`);
      await writeModel(quantizedSource(weights, { format }), path);
      const rows: Record<Way, number>[] = [];
      for (let round = -2; round < rounds; round++) {
        const times = {} as Record<Way, number>;
        for (let i = 0; i < ways.length; i++) {
          const way = ways[(i + round + ways.length) % ways.length];
          times[way] = await loadApart(path, way);
        }
        if (round >= 0) rows.push(times);
      }
      const mib = (await Deno.stat(path)).size / 2 ** 20;
      const neither = median(rows.map((row) => row.neither));
      const costs = ways.slice(1).map((way) =>
        interval(rows.map((row) => 100 * (row[way] - row.neither) / neither))
      );
      console.log(`| ${[format, mib.toFixed(0), neither.toFixed(0), ...costs].join(" | ")} |`);
    }
  } finally {
    if (options.folder === undefined) await Deno.remove(folder, { recursive: true });
  }
}

/** Milliseconds that a new process takes to load the model at `path`, without its start. */
async function loadApart(path: string, way: Way): Promise<number> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("./main.ts", import.meta.url).pathname, "loading"]
      .concat("--once", way, path),
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`A process that was to load "${path}" failed`);
  return Number(new TextDecoder().decode(stdout).trim().split("\n").at(-1));
}

/** Milliseconds from a closed file to weights on an open device. */
async function load(path: string, way: Way): Promise<number> {
  using gpu = await openGpu();
  const before = performance.now();
  using source = await openModelSource(path);
  const plan = planModel(source, gpu);
  const { tensors, constants, columnOrders } = plan;
  using held = new DisposableStack();
  for (const part of [...tensors.values(), ...constants.values(), columnOrders]) held.use(part);
  const { fingerprint, look } = WAYS[way];
  const whole = fingerprint ? held.use(new BaseHash(source)) : undefined;
  loadConstants(gpu, plan, source);
  columnOrders.load(gpu);
  // Without a hash, this thread examines each piece.
  const hash = look ? whole : {
    add: async (...[name, rows, { memory } = {}]: Parameters<BaseHash["add"]>) => {
      if (whole) await whole.add(name, rows, { memory });
      else memory?.give(rows.codes);
    },
    end: (name: string) => whole?.end(name),
  };
  for await (const _ of loadTensors(gpu, source.tensors, tensors.values(), { hash }));
  await whole?.digest();
  // A software device copies data only while it is waited for, so queued data is not loaded yet.
  await gpu.settled();
  return performance.now() - before;
}

function median(of: readonly number[]): number {
  return of.toSorted((a, b) => a - b)[of.length >> 1];
}

/** Median of differences in percent, with a 95 % interval from order statistics. */
function interval(of: readonly number[]): string {
  const sorted = of.toSorted((a, b) => a - b);
  const reach = Math.round(0.98 * Math.sqrt(of.length));
  const middle = (of.length - 1) / 2;
  const [low, high] = [Math.floor(middle - reach), Math.ceil(middle + reach)].map((at) =>
    sorted[Math.max(0, Math.min(of.length - 1, at))].toFixed(1)
  );
  return `${median(of).toFixed(1)} % (${low} to ${high})`;
}
