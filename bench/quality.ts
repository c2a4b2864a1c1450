/**
 * Real models in every format, quantised by every method that supports it: bits, held-out perplexity, and perplexity after QZO. Finished rows are kept
 * in files and not measured again, so it can be interrupted; the tables are made from those files.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { parseArgs } from "@std/cli";
import { fromFileUrl } from "@std/path";
import {
  calibratedSource,
  type Example,
  type Gpu,
  linear,
  loadModel,
  openGpu,
  planOffsets,
  quantizedSource,
  qzoNormalised,
} from "../mod.ts";
import type { OffsetSet } from "../kernels/mod.ts";
import { Evaluator, type Model, type ModelSource, packBatch } from "../models/mod.ts";
import { formatByName } from "../quant/mod.ts";
import { finetune } from "../train/mod.ts";
import { DATA } from "./finetune.ts";
import { describeMachine } from "./support/machine.ts";
import { LEARNING_RATES, QUALITY_MODELS, type QualityModel } from "./support/quality_models.ts";
import {
  type Finding,
  findingLines,
  findings,
  type Result,
  tables,
  type Tuned,
} from "./support/quality_report.ts";
import {
  bitsOfModel,
  COMPARED,
  rankOf,
  type Row,
  rowName,
  rowsOf,
} from "./support/quality_rows.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));
const ROWS = results("quality.jsonl");
const AFTER_QZO = results("quality_qzo.jsonl");
const REPORT = results("quality.md");

const HELP =
  `Quantises real models to every format with every method, tunes the rounded model and the best one with QZO, and writes tables of perplexities.

Usage: deno task bench quality [options]

  --only TEXT      rows whose name contains TEXT, for example "reviews-4m int4_g128 gptq"
  --list           the rows that are not done yet, in the order in which they are measured
  --table          write the tables of what is done, run nothing

Fails if the results contradict what must be true of them.

Example: deno task bench quality --only "Q4_0 gptq"`;

/** Number of tokens to calibrate with. */
const CALIBRATION = 8192;
const WINDOWS_AT_ONCE = 32;
/** Number of steps of QZO, each with two forward passes of a batch. */
const STEPS = 128;
const BATCH = 4;
const SEEDS = [0, 1, 2];

/** A measurement to make: a row, or the same row after QZO. */
interface Work {
  readonly row: Row;
  /** Seeds to tune it with. Empty: measure the row itself. */
  readonly seeds: readonly number[];
}

async function readLines<T>(path: string): Promise<T[]> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as T);
}

async function append(path: string, value: Result | Tuned): Promise<void> {
  await Deno.writeTextFile(path, `${JSON.stringify(value)}\n`, { append: true });
}

const rounded = (value: number): number => Number(value.toFixed(6));

function secondsSince(begun: NodeJS.CpuUsage): number {
  const { user, system } = cpuUsage(begun);
  return Number(((user + system) / 1e6).toFixed(1));
}

/** Loss of each window in nats per token. */
async function lossesOf(
  model: Model,
  windows: readonly Example[],
  offsets?: OffsetSet,
): Promise<number[]> {
  using evaluator = new Evaluator(model, offsets);
  const losses: number[] = [];
  for (let first = 0; first < windows.length; first += WINDOWS_AT_ONCE) {
    const some = windows.slice(first, first + WINDOWS_AT_ONCE);
    const batch = packBatch(some, "language-modelling", model.maxPositions);
    const [{ scores }] = await evaluator.run([batch]);
    losses.push(...scores.map((score) => -score));
  }
  return losses;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, x) => sum + x, 0) / values.length;

/** Standard error of the mean difference. */
function standardError(a: readonly number[], b: readonly number[]): number {
  const differences = a.map((x, i) => x - b[i]);
  const middle = mean(differences);
  const squares = differences.reduce((sum, d) => sum + (d - middle) ** 2, 0);
  return Math.sqrt(squares / (a.length - 1) / a.length);
}

/** Models, each opened once when it is needed, with the losses of their windows before quantisation. */
class Models implements Disposable {
  readonly gpu: Gpu;
  readonly #open = new Map<string, { readonly about: QualityModel; before?: number[] }>();

  constructor(gpu: Gpu) {
    this.gpu = gpu;
  }

  async get(name: string): Promise<QualityModel> {
    return (await this.#entry(name)).about;
  }

  async before(name: string): Promise<number[]> {
    const entry = await this.#entry(name);
    if (!entry.before) {
      using model = await loadModel(this.gpu, entry.about.source);
      entry.before = await lossesOf(model, entry.about.heldOut);
    }
    return entry.before;
  }

  async #entry(name: string): Promise<{ readonly about: QualityModel; before?: number[] }> {
    const found = this.#open.get(name) ?? { about: await QUALITY_MODELS[name]() };
    this.#open.set(name, found);
    return found;
  }

  [Symbol.dispose](): void {
    for (const { about } of this.#open.values()) about[Symbol.dispose]();
  }
}

async function quantise(
  gpu: Gpu,
  { source, train }: QualityModel,
  { format, method }: Row,
): Promise<ModelSource> {
  // The result of round-to-nearest does not depend on the text.
  if (method === "rtn") return quantizedSource(source, { format });
  const windows = train.slice(0, CALIBRATION / train[0].candidates[0].length);
  return await calibratedSource(gpu, source, windows, { format, method });
}

async function measure(models: Models, { row, seeds }: Work): Promise<void> {
  const { gpu } = models;
  const about = await models.get(row.model);
  const what = { adapter: gpu.description, date: new Date().toISOString().slice(0, 10) };
  const before = seeds.length === 0 ? await models.before(row.model) : [];
  const begun = cpuUsage();
  using model = await loadModel(gpu, await quantise(gpu, about, row));
  const seconds = secondsSince(begun);
  const quantised = await lossesOf(model, about.heldOut);
  if (seeds.length === 0) {
    const result: Result = {
      ...row,
      bits: bitsOfModel(about.source, formatByName(row.format))!,
      before: rounded(mean(before)),
      after: rounded(mean(quantised)),
      error: rounded(standardError(quantised, before)),
      heldOut: about.heldOut.length,
      seconds,
      ...what,
    };
    await append(ROWS, result);
    console.log(`${rowName(row)}: ${result.before} to ${result.after}, ${seconds} s`);
  }
  for (const seed of seeds) {
    const begun = cpuUsage();
    const { learningRate, train } = about;
    const schedule = linear(learningRate, { total: STEPS, warmup: 10 });
    const optimiser = qzoNormalised({ learningRate: schedule });
    using offsets = planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
    const options = { model, optimiser, offsets, objective: "language-modelling" as const };
    for await (const _ of finetune({ ...options, train, batchSize: BATCH, steps: STEPS, seed }));
    const tuned = await lossesOf(model, about.heldOut, offsets);
    const result: Tuned = {
      ...row,
      seed,
      learningRate,
      forwards: STEPS * optimiser.evaluations,
      batchSize: BATCH,
      after: rounded(mean(tuned)),
      error: rounded(standardError(tuned, quantised)),
      seconds: secondsSince(begun),
      ...what,
    };
    await append(AFTER_QZO, result);
    console.log(`${rowName(row)}, seed ${seed}: ${mean(quantised)} to ${result.after}`);
  }
}

/**
 * The rows to tune. For each format, these are the rounded one and the one with the lowest loss, once all methods have been measured. Formats that
 * others are compared with come first.
 */
function toTune(rows: readonly Row[], done: readonly Result[]): Row[] {
  const [first, others] = [true, false].map((compared) =>
    rows.filter(({ format }) => COMPARED.includes(format) === compared)
  );
  const groups = Map.groupBy([...first, ...others], ({ model, format }) => `${model} ${format}`);
  return [...groups.values()].flatMap((group) => {
    const measured = group.map((row) => done.find((r) => rowName(r) === rowName(row)));
    if (!measured.every((r) => r !== undefined)) return [];
    const [best] = measured.filter(({ method }) => method !== "rtn")
      .sort((a, b) => a.after - b.after);
    return group.filter(({ method }) => method === "rtn" || method === best.method);
  });
}

/** The remaining work. What to tune depends on the measured rows, so call it again after each. */
async function workLeft(rows: readonly Row[]): Promise<Work[]> {
  const done = await readLines<Result>(ROWS);
  const tuned = await readLines<Tuned>(AFTER_QZO);
  const left = rows.filter((row) => !done.some((r) => rowName(r) === rowName(row)));
  const rank = (rank: number): Work[] =>
    left.filter((row) => rankOf(row) === rank).map((row) => ({ row, seeds: [] }));
  const tuning = toTune(rows, done)
    .map((row) => ({
      row,
      seeds: SEEDS.filter((seed) =>
        !tuned.some((t) => rowName(t) === rowName(row) && t.seed === seed)
      ),
    }))
    .filter(({ seeds }) => seeds.length > 0);
  return [...rank(0), ...rank(1), ...tuning, ...rank(2), ...rank(3)];
}

const NOTES = "## What it says";

/** Writes the tables and returns the findings. Notes that someone has written below the tables are kept. */
async function report(): Promise<Finding[]> {
  const rows = await readLines<Result>(ROWS);
  if (rows.length === 0) return [];
  const found = findings(rows);
  const old = await Deno.readTextFile(REPORT).catch(() => "");
  const notes = old.includes(NOTES) ? old.slice(old.indexOf(NOTES)) : `${NOTES}\n`;
  const rates = Object.entries(LEARNING_RATES).map(([name, rate]) => `${rate} (${name})`).join(
    ", ",
  );
  const text = [
    "# Formats and methods by perplexity, before and after QZO",
    `\`deno task bench quality\` (what is done stays done). ${await describeMachine(
      rows.at(-1)!.adapter,
    )}`,
    `Calibrated with ${CALIBRATION} tokens. Loss added: nats a token over held-out windows, with the standard error of the mean difference. QZO: ` +
    `scales alone, relative, \`qzoNormalised\`, ${
      2 * STEPS
    } forwards of ${BATCH} windows, learning rate falling linearly to 0 from ${rates}; ` +
    `seeds ${
      SEEDS.join(", ")
    }; round-to-nearest and the method with the lowest loss. CPU s: quantising and loading.`,
    tables(rows, await readLines<Tuned>(AFTER_QZO)),
    `## What has to be true\n\n${findingLines(found)}`,
    notes,
  ].join("\n\n");
  await Deno.writeTextFile(REPORT, text);
  return found;
}

/** Makes the measurements that are not done yet, then writes the tables. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, { string: ["only"], boolean: ["list", "table", "help"] });
  if (args.help) return console.log(HELP);
  if (!args.table) {
    if (!await Deno.stat(DATA).then(() => true, () => false)) {
      return console.log(`Skipped, because the real models and data are not in ${DATA}`);
    }
    using gpu = await openGpu();
    using models = new Models(gpu);
    const rows: Row[] = [];
    for (const name of Object.keys(QUALITY_MODELS)) {
      rows.push(...rowsOf(name, (await models.get(name)).source));
    }
    const chosen = rows.filter((row) => rowName(row).includes(args.only ?? ""));
    if (args.list) {
      const left = await workLeft(chosen);
      return console.log(left.map(({ row, seeds }) => `${rowName(row)} ${seeds}`).join("\n"));
    }
    for (let [work] = await workLeft(chosen); work; [work] = await workLeft(chosen)) {
      await measure(models, work);
      await report();
    }
  }
  const found = await report();
  console.log(findingLines(found));
  if (found.some(({ violations }) => violations.length > 0)) Deno.exitCode = 1;
}

if (import.meta.main) await main(Deno.args);
