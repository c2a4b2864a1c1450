/**
 * 10,000 steps of three optimisers on SST-2, with held-out loss and accuracy over forward passes. Runs continue where they stopped. Intermediate states
 * are replayed from their ledgers, so nothing is evaluated during training.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl, join } from "@std/path";
import { comparisonSvg } from "../show/comparison_plot.ts";
import { ProgressLine } from "../show/progress.ts";
import { optimiserOfConfig } from "../train/config/optimiser.ts";
import { readTrainConfig, type TrainConfig } from "../train/config/schema.ts";
import { openLedger } from "../train/ledgers/ledger_file.ts";
import { replayLedger } from "../train/ledgers/replay.ts";
import { evaluate } from "../train/mod.ts";
import { Run } from "../train/runs/run.ts";
import { readMetrics, runFolder } from "../train/runs/run_folder.ts";
import { openRunSession, type RunSession } from "../train/runs/session.ts";
import { type TaskExamples, taskExamples } from "../train/runs/task_examples.ts";
import { DATA } from "./finetune.ts";
import { keepRow, readRows } from "./support/kept_rows.ts";
import { describeMachine } from "./support/machine.ts";
import { binsOf, type LongRow, longTable, stepsLookedAt } from "./support/long_report.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));
const ROWS = results("long.jsonl");
const TABLE = results("long_table.md");
const PICTURE = results("long.svg");

const HELP =
  `Trains reviews-4m on SST-2 for 10,000 steps with three optimisers, and writes a table and a picture.

Usage: deno task bench long [options]

  --runs FOLDER    where the runs lie (default ../runs/long beside the repository)
  --only NAME      one of the optimisers
  --steps N        another number of steps, in another folder and without a table
  --look           look at the steps that there are, make none
  --table          write the table and the picture of what was looked at, run nothing

Example: deno task bench long --only qzo`;

const STEPS = 10_000;
const BATCH = 1;
const HELD_OUT = 300;

const FULL_RATE = "qzoPlus at 0.5";

/** Settings of each run. The learning rates of the first two decay linearly to 0, as those of the others do by default. */
const OPTIMISERS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  qzo: { learning_rate: 3e-6, schedule: { kind: "linear", warmup: 100 } },
  qzoNormalised: { learning_rate: 4e-3, schedule: { kind: "linear", warmup: 100 } },
  // Two branches, the minimum, instead of eight, with which there would be 90,000 forward passes. The rate is the default for 10,000 steps.
  qzoPlus: { queries: 2, learning_rate: 0.079 },
  // The default before long runs had a lower rate.
  [FULL_RATE]: { name: "qzoPlus", queries: 2, learning_rate: 0.5 },
};

function configOf(name: string, steps: number, runs: string): TrainConfig {
  return readTrainConfig({
    model: join(DATA, "models/reviews-4m"),
    quantize: { format: "int4_g32" },
    task: "sst2",
    data: { folder: join(DATA, "tasks/sst2"), validation_limit: HELD_OUT },
    batch_size: BATCH,
    optimiser: { name, ...OPTIMISERS[name] },
    steps,
    evaluate_every: 0,
    output: join(runs, name.replaceAll(" ", "-")),
  }, `bench long, ${name}`);
}

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

/** Makes the remaining steps of a run. */
async function train(session: RunSession, examples: TaskExamples, config: TrainConfig) {
  const { ledger: path } = runFolder(config.output);
  const begun = await exists(path);
  if (begun && (await openLedger(path)).records.length >= config.steps) return;
  using run = await (begun ? Run.resume : Run.begin)(config, { session, examples });
  using line = new ProgressLine();
  for await (const event of run.train()) {
    if (event.type !== "step") continue;
    const { step, loss, seconds, tokensPerSecond } = event;
    line.show({ step, total: config.steps, seconds, loss, tokensPerSecond });
  }
}

/** Evaluates the states of a run that have not been evaluated yet. */
async function look(
  session: RunSession,
  examples: TaskExamples,
  config: TrainConfig,
  name: string,
) {
  const { model, gpu } = session;
  const folder = runFolder(config.output);
  const ledger = await openLedger(folder.ledger);
  const perStep = optimiserOfConfig(config).evaluations;
  const known = await readRows<LongRow>(ROWS);
  const events = await readMetrics(folder.metrics);
  const losses = events.filter((event) => event.type === "step");
  const evaluations = events.filter((event) => event.type === "evaluation");
  const steps = stepsLookedAt(ledger.records.length);
  for (const [i, step] of steps.entries()) {
    if (known.some((row) => row.optimiser === name && row.step === step)) continue;
    const { validation, objective } = examples;
    const looked = async () => {
      using offsets = await replayLedger(model, ledger, { steps: step });
      const found = await evaluate(model, validation.examples, { objective, offsets });
      return { loss: found.loss, accuracy: found.accuracy?.accuracy };
    };
    // The run itself was evaluated at its beginning and end.
    const { loss, accuracy } = evaluations.find((event) => event.step === step) ?? await looked();
    const row: LongRow = {
      optimiser: name,
      step,
      forwards: step * perStep,
      loss: Number(loss.toFixed(5)),
      accuracy,
      training: binsOf(losses, steps[i - 1] ?? 0, step),
      heldOut: validation.examples.length,
      machine: await describeMachine(gpu.description),
    };
    await keepRow(ROWS, row);
    console.log(`${name}, step ${step}: ${row.loss}`);
  }
}

/** Makes the training steps and evaluations that are not done yet, then writes the table and the picture. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["only", "runs", "steps"],
    boolean: ["look", "table", "help"],
    default: { runs: fromFileUrl(new URL("../../runs/long", import.meta.url)) },
  });
  if (args.help) return console.log(HELP);
  const names = Object.keys(OPTIMISERS).filter((name) => name === (args.only ?? name));
  const steps = args.steps === undefined ? STEPS : Number(args.steps);
  if (!args.table) {
    if (!await exists(DATA)) {
      return console.log(`Skipped, because the real models and data are not in ${DATA}`);
    }
    const runs = steps === STEPS ? args.runs : `${args.runs}-${steps}`;
    const [first] = names.map((name) => configOf(name, steps, runs));
    using session = await openRunSession(first);
    const { model: { tokenizer, maxPositions } } = session;
    const examples = await taskExamples(first, tokenizer!, { maxPositions });
    for (const name of names) {
      const config = configOf(name, steps, runs);
      if (!args.look) await train(session, examples, config);
      if (steps === STEPS) await look(session, examples, config, name);
    }
  }
  if (steps !== STEPS) return;
  const rows = await readRows<LongRow>(ROWS);
  if (rows.length === 0) return;
  const text = longTable(rows, { batch: BATCH });
  await Deno.writeTextFile(TABLE, text);
  const curves = Object.keys(OPTIMISERS).map((name) => ({
    name,
    points: rows.filter((row) => row.optimiser === name).sort((a, b) => a.step - b.step),
  }));
  const title = `reviews-4m at 4 bits on SST-2, ${BATCH} example a step`;
  await Deno.writeTextFile(PICTURE, comparisonSvg(curves, title, { scale: "log" }));
  console.log(text);
}

if (import.meta.main) await main(Deno.args);
