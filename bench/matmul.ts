/**
 * Measures the quantised matrix product, as ratios taken within one process: against onnxruntime-web on the same device, with noise against without,
 * and two branches in one pass against two passes.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { NoAdapterError, openGpu } from "../kernels/mod.ts";
import { readLimits } from "../kernels/device/adapter.ts";
import type { Gpu } from "../kernels/device/gpu.ts";
import { randomNumbers } from "../tests/support/random_llama.ts";
import { createOnnxMatmul, onnxMissing } from "./reference/onnx_matmul.ts";
import { describeMachine } from "./support/machine.ts";
import { fourBits, prepareMatmul } from "./support/matmul_case.ts";
import { compareInterleaved, formatSpread, type Timing } from "./support/timing.ts";

const help = `Times the 4-bit matrix product and prints a markdown table of ratios.

  deno run -A bench/matmul.ts [options]

Options:
  --rounds <n>   turns that each entry has; ratios are taken within a turn (default 5)
  --size <n>     inputs and outputs of the matrix (default 2048)
  --rows <list>  rows at which to compare with the peer (default 1,64,256)
  --only <part>  "peer", "noise" or "branches": one part of the table (default: all)
  --help         this text

The peer, onnxruntime-web, is looked for in QZO_PEERS (a node_modules folder) or .tools/peers/node_modules; without it
its rows are left out with the reason.`;

/** One line of the table: what was compared, the timings, and the target. */
interface Line {
  readonly what: string;
  readonly timing: Timing;
  readonly base: Timing;
  readonly target: string;
}

interface Settings {
  readonly rounds: number;
  readonly size: number;
  readonly rows: readonly number[];
}

const targetRows = 64;

/**
 * A device with only the features that the adapter lists, for sharing with onnxruntime-web. If subgroups are granted, onnxruntime-web writes
 * `enable subgroups;`, which Deno's compiler does not know.
 */
async function listedDevice(): Promise<{ device: GPUDevice } & Disposable> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new NoAdapterError("Cannot time products: WebGPU found no adapter");
  const device = await adapter.requestDevice({
    requiredLimits: Object.fromEntries(
      Object.entries(readLimits(adapter.limits)).filter(([, value]) => Number.isSafeInteger(value)),
    ),
    requiredFeatures: [...adapter.features] as GPUFeatureName[],
  });
  return { device, [Symbol.dispose]: () => device.destroy() };
}

/** Number of runs between waits, enough that the 11.5 ms of a wait do not matter. */
function batchFor(rows: number): number {
  return Math.max(4, Math.ceil(64 / rows));
}

async function peerLines(gpu: Gpu, { rounds, size, rows: rowCounts }: Settings): Promise<Line[]> {
  const lines: Line[] = [];
  for (const block of [32, 128]) {
    for (const rows of rowCounts) {
      using ours = prepareMatmul(gpu, {
        name: "ours",
        layout: fourBits(block),
        rows,
        inputs: size,
        outputs: size,
      });
      const random = randomNumbers(3);
      const peer = await createOnnxMatmul({
        M: rows,
        K: size,
        N: size,
        block,
        codes: Uint8Array.from({ length: size * size }, () => random() * 16),
        scales: new Float32Array(size * size / block).fill(2 ** -7),
        device: gpu.device,
      });
      const [base, timing] = await compareInterleaved([
        ours,
        { name: "onnxruntime-web MatMulNBits", run: () => peer.run(), wait: ours.wait },
      ], { rounds: rows > targetRows ? Math.min(rounds, 3) : rounds, batch: batchFor(rows) });
      await peer.release();
      const target = rows === targetRows ? (block === 32 ? "≥ 6" : "≥ 10") : "";
      lines.push({
        what: `onnxruntime-web MatMulNBits ÷ ours, M = ${rows}, block ${block}`,
        timing,
        base,
        target,
      });
    }
  }
  return lines;
}

async function noiseLines(gpu: Gpu, { rounds, size }: Settings): Promise<Line[]> {
  const lines: Line[] = [];
  for (const group of [32, 128]) {
    for (const rows of [targetRows, 256]) {
      const shape = { layout: fourBits(group), inputs: size, outputs: size };
      using plain = prepareMatmul(gpu, { name: "plain", ...shape, rows: rows * 2 });
      using noisy = prepareMatmul(gpu, {
        name: "noisy",
        ...shape,
        rows,
        branches: 2,
        noise: true,
      });
      const [base, timing] = await compareInterleaved([plain, noisy], { rounds, batch: 4 });
      lines.push({
        what: `two branches of ${rows} rows with noise ÷ ${rows * 2} plain rows, group ${group}`,
        timing,
        base,
        target: group === 128 ? "≤ 1.05" : "",
      });
    }
  }
  return lines;
}

async function branchLines(gpu: Gpu, { rounds, size }: Settings): Promise<Line[]> {
  const lines: Line[] = [];
  for (const group of [32, 128]) {
    const shape = { layout: fourBits(group), inputs: size, outputs: size, rows: 1, noise: true };
    using twice = prepareMatmul(gpu, { name: "two passes", ...shape, passes: 2 });
    using once = prepareMatmul(gpu, { name: "one pass", ...shape, branches: 2 });
    const [base, timing] = await compareInterleaved([twice, once], { rounds, batch: 60 });
    lines.push({
      what: `one pass of two branches ÷ two passes, one row each, with noise, group ${group}`,
      timing,
      base,
      target: "≤ 0.7",
    });
  }
  return lines;
}

function table(lines: readonly Line[]): string {
  return [
    "| ratio | median (range) | target | ms of the numerator | ms of the denominator |",
    "|---|---|---|---|---|",
    ...lines.map(({ what, timing, base, target }) =>
      `| ${what} | ${formatSpread(timing.ratio)} | ${target} | ${
        formatSpread(timing.milliseconds)
      } | ${formatSpread(base.milliseconds)} |`
    ),
  ].join("\n");
}

/** Prints the table. */
export async function main(argv: string[]): Promise<void> {
  const flags = parseArgs(argv, {
    boolean: ["help"],
    string: ["rounds", "size", "rows", "only"],
    default: { rounds: "5", size: "2048", rows: `1,${targetRows},256` },
  });
  if (flags.help) return console.log(help);
  const settings = {
    rounds: Number(flags.rounds),
    size: Number(flags.size),
    rows: flags.rows.split(",").map(Number),
  };
  if (!settings.rows.every((rows) => Number.isInteger(rows) && rows > 0)) {
    throw new RangeError(`Cannot time "${flags.rows}" rows: a list of positive numbers is needed`);
  }
  if (!(settings.rounds >= 1) || !(settings.size >= 128) || settings.size % 128 !== 0) {
    throw new RangeError(
      `Cannot time with rounds ${flags.rounds} and size ${flags.size}: at least 1, and a multiple of 128`,
    );
  }
  using device = await listedDevice();
  using gpu = await openGpu({ device: device.device });
  const wanted = (part: string) => flags.only === undefined || flags.only === part;
  const lines: Line[] = [];
  const missing = await onnxMissing();
  if (wanted("peer") && missing === undefined) lines.push(...await peerLines(gpu, settings));
  if (wanted("noise")) lines.push(...await noiseLines(gpu, settings));
  if (wanted("branches")) lines.push(...await branchLines(gpu, settings));
  console.log(await describeMachine(gpu.description));
  console.log(
    `Four bits, one f16 scale a group, ${settings.size} x ${settings.size}; ${settings.rounds} rounds.\n`,
  );
  console.log(table(lines));
  if (wanted("peer") && missing !== undefined) {
    console.log(`\nonnxruntime-web was skipped: ${missing}`);
  }
  // onnxruntime-web keeps its Wasm heap and threads until the process ends.
  Deno.exit(0);
}

if (import.meta.main) await main(Deno.args);
