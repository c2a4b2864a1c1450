/**
 * Times products on lavapipe with vectors of 256 and of 512 bits, in separate processes, interleaved. Times are in processor seconds, because the
 * machine may be busy with other work.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { fromFileUrl } from "@std/path";
import { cpuUsage } from "node:process";
import { openGpu } from "../kernels/mod.ts";
import { WIDTH_VARIABLE } from "../kernels/device/wide_vectors.ts";
import { describeMachine } from "./support/machine.ts";
import { fourBits, prepareMatmul } from "./support/matmul_case.ts";

const HELP =
  `Times 4-bit products on lavapipe in vectors of 256 and 512 bits and prints a markdown table.

  deno task bench width [options]

Options:
  --rounds <n>   processes of each width (default 5)
  --size <n>     inputs and outputs of the matrix (default 2048)
  --rows <list>  rows (default 1,8,64,256)
  --help         this text`;

/** The measurements of a process: processor seconds per product by number of rows, and the adapter. */
interface Measured {
  readonly adapter: string;
  readonly seconds: Readonly<Record<string, number>>;
}

/** Times products in this process. */
async function measure(rows: readonly number[], size: number): Promise<Measured> {
  using gpu = await openGpu();
  const seconds: Record<string, number> = {};
  for (const count of rows) {
    using product = prepareMatmul(gpu, {
      name: "product",
      layout: fourBits(32),
      rows: count,
      inputs: size,
      outputs: size,
    });
    const batch = Math.max(2, Math.ceil(128 / count));
    for (const timed of [false, true]) { // the first turn includes compilation
      const before = cpuUsage();
      for (let i = 0; i < batch; i++) await product.run();
      await product.wait();
      const { user, system } = cpuUsage(before);
      if (timed) seconds[count] = (user + system) / 1e6 / batch;
    }
  }
  return { adapter: gpu.description, seconds };
}

/** Measures in a new process. `caches` is a separate folder for compiled shaders, so that shaders compiled before, with any width, are not used. */
async function inProcess(
  width: string,
  caches: string,
  args: readonly string[],
): Promise<Measured> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", fromFileUrl(import.meta.url), "--child", ...args],
    env: { [WIDTH_VARIABLE]: width, MESA_SHADER_CACHE_DIR: caches },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1];

/** Prints the table or, in a child process, its measurements. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["rounds", "size", "rows"],
    boolean: ["help", "child"],
    default: { rounds: "5", size: "2048", rows: "1,8,64,256" },
  });
  if (args.help) return console.log(HELP);
  const rows = args.rows.split(",").map(Number);
  if (args.child) return console.log(JSON.stringify(await measure(rows, Number(args.size))));

  const turns: { narrow: Measured; wide: Measured }[] = [];
  const options = [`--size=${args.size}`, `--rows=${args.rows}`];
  const caches = await Deno.makeTempDir();
  try {
    for (let i = 0; i < Number(args.rounds); i++) {
      turns.push({
        narrow: await inProcess("off", caches, options),
        wide: await inProcess("512", caches, options),
      });
    }
  } finally {
    await Deno.remove(caches, { recursive: true });
  }
  const [{ narrow, wide }] = turns;
  console.log(await describeMachine(`${narrow.adapter} and ${wide.adapter}`));
  console.log(`\n${args.size} x ${args.size}, 4 bits, ${turns.length} turns.\n`);
  console.log("| rows | processor ms, 256 bits | 512 bits | 256 / 512, median | least | most |");
  console.log("|---|---|---|---|---|---|");
  for (const count of rows) {
    const of = (which: "narrow" | "wide") => turns.map((turn) => turn[which].seconds[count]);
    const ratios = of("narrow").map((seconds, i) => seconds / of("wide")[i]);
    const cells = [
      String(count),
      (1000 * median(of("narrow"))).toFixed(1),
      (1000 * median(of("wide"))).toFixed(1),
      median(ratios).toFixed(2),
      Math.min(...ratios).toFixed(2),
      Math.max(...ratios).toFixed(2),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

if (import.meta.main) await main(Deno.args);
