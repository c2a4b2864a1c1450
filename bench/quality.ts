/**
 * Real models in every format, by every method that can quantise to it: bits and held-out perplexity. Finished rows are kept in a file and
 * not made again, so it can be interrupted; the table is printed from that file.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl, join } from "@std/path";
import {
  calibratedSource,
  type Example,
  type Gpu,
  loadModel,
  openGpu,
  openModelSource,
} from "../mod.ts";
import { architectureOf, type ModelSource, QUANTIZE_METHODS } from "../models/mod.ts";
import { bitsPerWeight, chooseFormat, type Format, FORMATS } from "../quant/mod.ts";
import { perplexity } from "../tasks/mod.ts";
import { evaluate } from "../train/mod.ts";
import { DATA, TEXTS, windows } from "./finetune.ts";

const RESULTS = fromFileUrl(new URL("./results/quality.jsonl", import.meta.url));

const HELP =
  `Quantises real models to every format by every method and prints a table of perplexities.

Usage: deno task bench quality [options]

  --only TEXT      cases whose name contains TEXT, for example "reviews-4m int4_g128 gptq"
  --list           the cases
  --table          print the table of what is done, run nothing

Example: deno task bench quality --only "Q4_0 gptq"`;

/** Tokens to calibrate with. */
const CALIBRATION = 32768;

/** Models and the text that each is calibrated and judged on; windows are those of `deno task bench finetune`. */
const MODELS = [["tinystories-656k", "stories"], ["reviews-4m", "reviews"]] as const;

interface Case {
  readonly model: string;
  readonly text: keyof typeof TEXTS;
  readonly format: string;
  readonly method: string;
}

interface Result {
  readonly model: string;
  readonly format: string;
  readonly method: string;
  /** Of the matrices in this format, scales and codebooks included. */
  readonly bits: number;
  /** Nats a token, 16 bits and quantised. */
  readonly before: number;
  readonly after: number;
  /** Root mean square over the layers of the relative errors of their outputs, on the calibration text. */
  readonly outputError: number;
  readonly heldOut: number;
  readonly minutes: number;
  readonly adapter: string;
  readonly date: string;
}

/** Whether values can be quantised to a format, and not only read in it. */
function canBeMade({ layout }: Format): boolean {
  if (layout.kind === "codebook") {
    return (layout.bits ?? 8) === 8 && (layout.vector ?? 8) === 8 && layout.books <= 4;
  }
  return layout.kind === "scalar" || layout.kind === "super";
}

/** Whether at least half of a model's matrices get the format, and not what stands in for it. */
function fits(source: ModelSource, format: Format): boolean {
  const matrices = architectureOf(source.config).weights(source.config)
    .filter(({ kind }) => kind === "matrix");
  const held = matrices.filter(({ name, rows, columns }) =>
    chooseFormat(name, rows, columns, format.name) === format.name
  );
  return 2 * held.length >= matrices.length;
}

async function cases(): Promise<Case[]> {
  const found: Case[] = [];
  for (const [model, text] of MODELS) {
    using source = await openModelSource(join(DATA, "models", model));
    for (const format of FORMATS.filter((it) => canBeMade(it) && fits(source, it))) {
      for (const { name: method, applies } of QUANTIZE_METHODS) {
        if (applies(format)) found.push({ model, text, format: format.name, method });
      }
    }
  }
  return found;
}

async function readResults(): Promise<Result[]> {
  const text = await Deno.readTextFile(RESULTS).catch(() => "");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Result);
}

async function lossOf(gpu: Gpu, source: ModelSource, heldOut: readonly Example[]): Promise<number> {
  using model = await loadModel(gpu, source);
  return (await evaluate(model, heldOut, { objective: "language-modelling" })).loss;
}

/** Loss at 16 bits by model: the same for all its rows. */
const losses = new Map<string, number>();

async function runCase(gpu: Gpu, c: Case): Promise<Result> {
  using source = await openModelSource(join(DATA, "models", c.model));
  const text = TEXTS[c.text];
  const { train, heldOut } = await windows(text, source.tokenizer!);
  const before = losses.get(c.model) ?? await lossOf(gpu, source, heldOut);
  losses.set(c.model, before);
  const begun = performance.now();
  let [bits, weights, squares, layers] = [0, 0, 0, 0];
  const quantised = await calibratedSource(gpu, source, train.slice(0, CALIBRATION / text.length), {
    format: c.format,
    method: c.method,
    onLayer: ({ rows, columns, format, outputError }) => {
      squares += outputError ** 2;
      layers++;
      if (format !== c.format) return;
      weights += rows * columns;
      bits += rows * columns *
        bitsPerWeight(FORMATS.find(({ name }) => name === format)!, rows, columns);
    },
  });
  const minutes = (performance.now() - begun) / 60_000;
  return {
    model: c.model,
    format: c.format,
    method: c.method,
    bits: bits / weights,
    before,
    after: await lossOf(gpu, quantised, heldOut),
    outputError: Math.sqrt(squares / layers),
    heldOut: heldOut.length,
    minutes: Number(minutes.toFixed(2)),
    adapter: gpu.description,
    date: new Date().toISOString().slice(0, 10),
  };
}

function row(r: Result): string {
  return `| ${r.model} | ${r.format} | ${r.method} | ${r.bits.toFixed(3)} | ${
    perplexity(r.before).toFixed(2)
  } | ${perplexity(r.after).toFixed(2)} | ${(r.after - r.before).toFixed(4)} | ${
    (100 * r.outputError).toFixed(2)
  } % | ${r.minutes.toFixed(1)} |`;
}

/** Rows by model and then bits, methods of a format side by side. */
function table(results: readonly Result[]): string {
  const order = [...results].sort((a, b) =>
    a.model.localeCompare(b.model) || a.bits - b.bits || a.format.localeCompare(b.format) ||
    a.after - b.after
  );
  return [
    "| model | format | method | bits per weight | perplexity, 16 bits | quantised | loss added | error of outputs | minutes |",
    "|---|---|---|---|---|---|---|---|---|",
    ...order.map(row),
  ].join("\n");
}

/** Runs what is not done yet, then prints the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["only"],
    boolean: ["list", "table", "help"],
  });
  if (args.help) return console.log(HELP);
  if (args.table) return console.log(table(await readResults()));
  if (!await Deno.stat(DATA).then(() => true, () => false)) {
    return console.log(`Skipped, because the real models and data are not at ${DATA}`);
  }
  const nameOf = (it: Pick<Result, "model" | "format" | "method">) =>
    `${it.model} ${it.format} ${it.method}`;
  const all = (await cases()).filter((c) => nameOf(c).includes(args.only ?? ""));
  if (args.list) return console.log(all.map(nameOf).join("\n"));
  using gpu = await openGpu();
  for (const c of all) {
    if ((await readResults()).some((r) => nameOf(r) === nameOf(c))) continue;
    const result = await runCase(gpu, c);
    await Deno.writeTextFile(RESULTS, `${JSON.stringify(result)}\n`, { append: true });
    console.log(row(result));
  }
  console.log(`\n${table(await readResults())}`);
}

if (import.meta.main) await main(Deno.args);
