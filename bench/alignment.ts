/**
 * Measures the effect of the words around an example on zeroth-order training ("task alignment"): SST-2 with and without MeZO's prompt, with equal
 * numbers of forward passes. ZO-LLM (arXiv 2402.11592) reports little effect on a first-order optimiser, and a loss of 8 to 10 points for
 * zeroth-order ones. Finished runs are kept in a file and not repeated, so it can be interrupted; the table is made from that file.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl, join } from "@std/path";
import {
  type Example,
  type Gpu,
  linear,
  loadExamples,
  loadModel,
  openGpu,
  openModelSource,
  planOffsets,
  quantizedSource,
  qzoNormalised,
  qzoPlus,
} from "../mod.ts";
import type { Model } from "../models/mod.ts";
import type { Optimiser } from "../optim/mod.ts";
import { pairedAccuracy, subsample } from "../tasks/mod.ts";
import { evaluate, type Evaluation, finetune } from "../train/mod.ts";
import { DATA } from "./finetune.ts";
import { keepRow, readRows } from "./support/kept_rows.ts";
import { describeMachine } from "./support/machine.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));
const ROWS = results("alignment.jsonl");
const REPORT = results("alignment.md");

const HELP =
  `Trains reviews-4m on SST-2 with MeZO's prompt and without any, using equal numbers of forward passes, and prints a table.

Usage: deno task bench alignment [options]

  --seeds N        seeds 0 to N-1 (default 3)
  --only TEXT      runs whose name contains TEXT, for example "bare" or "qzoPlus"
  --forwards N     another number of forwards (kept under its own name)
  --list           list the runs that are still to do
  --table          write the table of finished runs without running anything

Example: deno task bench alignment --only "sst2 qzoNormalised" --seeds 1`;

/** MeZO's prompt, and the sentence alone. */
const TASKS = ["sst2", "sst2/bare"];
const FORMAT = "int4_g32";
const BATCH = 16;
/** Number of forward passes of each run, whatever its optimiser. */
const FORWARDS = 300;
/** Number of sentences of the development set, drawn with seed 0. */
const HELD_OUT = 400;

const OPTIMISERS: Readonly<Record<string, (steps: number) => Optimiser>> = {
  qzoNormalised: (steps) =>
    qzoNormalised({
      learningRate: linear(2e-2, { total: steps, warmup: Math.min(10, Math.ceil(steps / 10)) }),
    }),
  qzoPlus: (steps) => qzoPlus({ steps }),
};

/** The optimiser of a job, and the number of steps that its forward passes allow. */
function optimiserOf({ optimiser, forwards }: Job): { optimiser: Optimiser; steps: number } {
  const make = OPTIMISERS[optimiser];
  const steps = Math.max(1, Math.floor(forwards / make(1).evaluations));
  return { optimiser: make(steps), steps };
}

/** A run to make. */
interface Job {
  readonly task: string;
  readonly optimiser: string;
  readonly seed: number;
  readonly forwards: number;
}

/** The result of a run or, without an optimiser, of the untrained model. */
interface Row extends Partial<Job> {
  readonly task: string;
  readonly loss: number;
  readonly accuracy: number;
  readonly predictions: string;
  readonly labels: string;
  readonly machine: string;
}

const nameOf = ({ task, optimiser, seed, forwards }: Job) =>
  `${task} ${optimiser} seed ${seed} forwards ${forwards}`;

function rowOf(
  about: Partial<Job> & { readonly task: string },
  machine: string,
  { loss, accuracy, predictions }: Evaluation,
  heldOut: readonly Example[],
): Row {
  return {
    ...about,
    loss: Number(loss.toFixed(6)),
    accuracy: accuracy?.accuracy ?? NaN,
    predictions: predictions.join(""),
    labels: heldOut.map(({ label }) => label).join(""),
    machine,
  };
}

/** The training and held-out examples with a prompt. */
async function examplesOf(model: Model, task: string) {
  const folder = join(DATA, "tasks/sst2");
  const options = { maximumLength: model.maxPositions };
  const train = await loadExamples(model.tokenizer, task, "train", folder, options);
  const dev = await loadExamples(model.tokenizer, task, "dev", folder, options);
  return { train, heldOut: subsample(dev, HELD_OUT, 0) };
}

async function run(gpu: Gpu, job: Job, known: readonly Row[]): Promise<void> {
  using stored = await openModelSource(join(DATA, "models/reviews-4m"));
  using model = await loadModel(gpu, quantizedSource(stored, { format: FORMAT }));
  const { train, heldOut } = await examplesOf(model, job.task);
  const machine = await describeMachine(gpu.description);
  const settings = { objective: "classification", batchSize: BATCH } as const;
  if (!known.some(({ task, optimiser }) => task === job.task && optimiser === undefined)) {
    const before = await evaluate(model, heldOut, settings);
    await keepRow(ROWS, rowOf({ task: job.task }, machine, before, heldOut));
  }
  const { seed } = job;
  const { optimiser, steps } = optimiserOf(job);
  using offsets = planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
  for await (
    const _ of finetune({ model, optimiser, offsets, train, steps, seed, ...settings })
  );
  const after = await evaluate(model, heldOut, { ...settings, offsets });
  await keepRow(ROWS, rowOf(job, machine, after, heldOut));
}

const percent = (share: number): string => (100 * share).toFixed(1);
const digits = (text: string): number[] => [...text].map(Number);

/** The table, and a comparison of each pair of runs with the same seed. */
function report(rows: readonly Row[]): string {
  const trained = rows.filter(({ optimiser }) => optimiser !== undefined);
  const groups = new Map<string, Row[]>();
  for (const row of trained) {
    const key = `${row.optimiser}|${row.forwards}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const before = (task: string) => rows.find((it) => it.task === task && !it.optimiser);
  const lines = [...groups.values()].flatMap((some) => {
    const [{ optimiser, forwards }] = some;
    return TASKS.map((task) => {
      const own = some.filter((row) => row.task === task)
        .sort((a, b) => (a.seed ?? 0) - (b.seed ?? 0));
      const mean = own.reduce((sum, { accuracy }) => sum + accuracy, 0) / own.length;
      const start = before(task);
      return `| ${optimiser} | \`${task}\` | ${forwards} | ${start?.loss.toFixed(3) ?? ""} | ${
        own.map(({ loss }) => loss.toFixed(3)).join(" / ")
      } | ${start ? percent(start.accuracy) : ""} | ${
        own.map(({ accuracy }) => percent(accuracy)).join(" / ")
      } | ${own.length > 0 ? percent(mean) : ""} |`;
    });
  });
  const pairs = [...groups.values()].flatMap((some) => {
    const differences = some.filter(({ task }) => task === TASKS[0]).flatMap((row) => {
      const other = some.find(({ task, seed }) => task === TASKS[1] && seed === row.seed);
      if (!other) return [];
      const labels = digits(row.labels);
      return [pairedAccuracy(digits(row.predictions), digits(other.predictions), labels)];
    });
    if (differences.length === 0) return [];
    const shown = differences.map(({ difference, low, high }) =>
      `${percent(difference)} (${percent(low)} to ${percent(high)})`
    );
    return [`- ${some[0].optimiser}: ${shown.join(", ")}.`];
  });
  return [
    "# Task alignment: SST-2 with MeZO's prompt and without",
    "",
    `\`deno task bench alignment\`. reviews-4m at ${FORMAT}, batches of ${BATCH}, ${HELD_OUT} sentences of the development set. The learning rate of`,
    "qzoNormalised is that of `bench finetune`, where it was tried with a prompt like the first; qzoPlus uses its default.",
    `\`sst2\` prompts with \`{sentence} It was\`, \`sst2/bare\` with the sentence alone; the answers are the same. ${
      rows[0]?.machine ?? ""
    }`,
    "",
    "| optimiser | prompt | forwards | loss before | after, by seed | accuracy before | after, by seed | mean |",
    "|---|---|---|---|---|---|---|---|",
    ...lines,
    "",
    "Accuracy without the prompt minus accuracy with it, by seed, in percentage points, with paired 95 % intervals:",
    "",
    ...pairs,
    "",
    "ZO-LLM reports a loss of 8 to 10 points without the prompt for zeroth-order training of RoBERTa-large, and almost none for first-order training, which is not",
    "measured here.",
    "",
  ].join("\n");
}

/** Makes the runs that are not done yet, then writes the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["seeds", "only", "forwards"],
    boolean: ["list", "table", "help"],
    default: { seeds: "3" },
  });
  if (args.help) return console.log(HELP);
  const forwards = Number(args.forwards ?? FORWARDS);
  const jobs: Job[] = [];
  for (let seed = 0; seed < Number(args.seeds); seed++) {
    for (const optimiser of Object.keys(OPTIMISERS)) {
      for (const task of TASKS) jobs.push({ task, optimiser, seed, forwards });
    }
  }
  const done = new Set((await readRows<Row>(ROWS)).map((row) => nameOf(row as Job)));
  const left = jobs.filter((job) =>
    !done.has(nameOf(job)) && nameOf(job).includes(args.only ?? "")
  );
  if (args.list) return console.log(left.map(nameOf).join("\n"));
  if (!args.table && left.length > 0) {
    if (!await Deno.stat(DATA).then(() => true, () => false)) {
      return console.log(`Skipped, because the real models and data are not in ${DATA}`);
    }
    using gpu = await openGpu();
    for (const job of left) {
      const begun = performance.now();
      await run(gpu, job, await readRows<Row>(ROWS));
      console.log(`${nameOf(job)}: ${((performance.now() - begun) / 60_000).toFixed(1)} minutes`);
    }
  }
  const text = report(await readRows<Row>(ROWS));
  await Deno.writeTextFile(REPORT, text);
  console.log(text);
}

if (import.meta.main) await main(Deno.args);
