/**
 * Measures the cost of the matrix product in every format, relative to int4_g128 in the same rounds, and the additional cost of fused noise.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import type { Gpu } from "../kernels/device/gpu.ts";
import { openGpu } from "../kernels/mod.ts";
import { bitsPerWeight, type Format, formatByName, FORMATS } from "../quant/mod.ts";
import { describeMachine } from "./support/machine.ts";
import { prepareMatmul } from "./support/matmul_case.ts";
import { compareInterleaved, significant, type Timing } from "./support/timing.ts";

const help = `Times the matrix product of every format and prints a markdown table of ratios.

  deno run -A bench/formats.ts [options]

Options:
  --rounds <n>      turns that each entry has; ratios are taken within a turn (default 5)
  --size <n>        inputs and outputs of the matrix (default 2048)
  --rows <n>        rows of the wide product (default 64)
  --formats <list>  names, or parts of names (default: all of GGUF's, own ones in groups of 128)
  --help            this text

A column is the time relative to int4_g128: of one row, of --rows rows. The last one is the time of two branches of --rows
rows with noise, relative to twice the rows without, in the same format.`;

const BASE = "int4_g128";

/** Maximum time of a format relative to int4_g128, for formats of about four bits and codebooks of about two. */
const BOUNDS: readonly { readonly names: RegExp; readonly most: number; readonly why: string }[] = [
  {
    names: /^codebook(1x|2x8)/,
    most: 2,
    why: "an entry per book and vector is looked up, which a software adapter does word by word",
  },
  {
    names: /^int4c_/,
    most: 1.5,
    why: "every weight brings a scale and a zero point of its own: 4 bytes beside half a byte",
  },
  {
    names: /^(IQ4|nf4|fp4|MXFP4)/,
    most: 1.5,
    why: "what a code stands for is computed, or chosen among 16 values",
  },
  { names: /^(Q4_|int4)/, most: 1.5, why: "a second value per group" },
];

/** A sentence about the bound that a format exceeds. Undefined if it exceeds none. */
function exceeded({ name }: Format, timings: readonly Timing[]): string | undefined {
  const bound = BOUNDS.find(({ names }) => names.test(name));
  const slowest = Math.max(...timings.map(({ ratio }) => ratio.median));
  if (!bound || slowest <= bound.most) return undefined;
  return `${name} takes ${
    significant(slowest)
  } times int4's time, more than ${bound.most}: ${bound.why}.`;
}

/** Excludes formats whose kernels differ from those of other group sizes only in the length of loops. */
function isMeasured({ name }: Format): boolean {
  return !/_(g32|g64|g256|row)$/.test(name);
}

function chosen(list: string | undefined): Format[] {
  const all = [...FORMATS.filter(isMeasured), formatByName("int4c_r64")];
  // A name that no listed format contains may still be that of a format constructed from its name.
  const named = (part: string): Format[] => {
    const found = [...FORMATS, ...all].filter(({ name }) => name.includes(part));
    return found.length > 0 ? found : [formatByName(part)];
  };
  const some = list === undefined ? all : list.split(",").flatMap(named);
  const byName = new Map([formatByName(BASE), ...some].map((format) => [format.name, format]));
  return [...byName.values()];
}

interface Settings {
  readonly rounds: number;
  readonly size: number;
  readonly rows: number;
}

/** Times all formats, interleaved, with the given number of rows. */
async function compareFormats(
  gpu: Gpu,
  formats: readonly Format[],
  rows: number,
  batch: number,
  { rounds, size }: Settings,
): Promise<Timing[]> {
  using stack = new DisposableStack();
  const shape = { rows, inputs: size, outputs: size };
  const entries = formats.map(({ name, layout }) =>
    stack.use(prepareMatmul(gpu, { name, layout, ...shape }))
  );
  return await compareInterleaved(entries, { rounds, batch });
}

/** Times two branches with noise against the same number of rows without noise. */
async function noiseOverhead(
  gpu: Gpu,
  { layout }: Format,
  { rounds, size, rows }: Settings,
): Promise<Timing> {
  const shape = { layout, inputs: size, outputs: size };
  using plain = prepareMatmul(gpu, { name: "plain", ...shape, rows: rows * 2 });
  using noisy = prepareMatmul(gpu, { name: "noisy", ...shape, rows, branches: 2, noise: true });
  return (await compareInterleaved([plain, noisy], { rounds, batch: 3 }))[1];
}

const ratioText = ({ ratio: { median, min, max } }: Timing): string =>
  `${significant(median)} (${significant(min)}-${significant(max)})`;

/** Prints the table. */
export async function main(argv: string[]): Promise<void> {
  const flags = parseArgs(argv, {
    boolean: ["help"],
    string: ["rounds", "size", "rows", "formats"],
    default: { rounds: "5", size: "2048", rows: "64" },
  });
  if (flags.help) return console.log(help);
  const settings = {
    rounds: Number(flags.rounds),
    size: Number(flags.size),
    rows: Number(flags.rows),
  };
  const { rounds, size, rows } = settings;
  if (!(rounds >= 1) || !(rows >= 1) || !(size >= 256) || size % 256 !== 0) {
    throw new RangeError(
      `Cannot time with rounds ${flags.rounds}, rows ${flags.rows} and size ${flags.size}: at least 1, and a multiple of 256`,
    );
  }
  const formats = chosen(flags.formats);
  using gpu = await openGpu();
  const vector = await compareFormats(gpu, formats, 1, 64, settings);
  const wide = await compareFormats(gpu, formats, rows, 4, settings);
  console.log(await describeMachine(gpu.description));
  console.log(`${size} x ${size}; ${rounds} rounds; median (range) of ratios within a round.\n`);
  console.log(
    `| format | bytes per weight | M = 1 ÷ ${BASE} | M = ${rows} ÷ ${BASE} | two branches with noise ÷ plain |`,
  );
  console.log("|---|---|---|---|---|");
  const over: string[] = [];
  for (const [i, format] of formats.entries()) {
    over.push(exceeded(format, [vector[i], wide[i]]) ?? "");
    const noise = await noiseOverhead(gpu, format, settings);
    const bytes = significant(bitsPerWeight(format, size, size) / 8);
    console.log(
      `| ${format.name} | ${bytes} | ${ratioText(vector[i])} | ${ratioText(wide[i])} | ${
        ratioText(noise)
      } |`,
    );
  }
  const lines = over.filter((line) => line !== "");
  if (lines.length > 0) console.log(`\n${lines.join("\n")}`);
}

if (import.meta.main) await main(Deno.args);
