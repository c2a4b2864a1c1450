/**
 * Compares QZO, ZO-SGD and `qzoPlus` on small trained models of three architectures and three tasks, at 4 bits with equal numbers of forward passes,
 * before and after training, with zero-shot and in-context answers. Finished runs are kept in a file and not repeated, so it can be interrupted; the
 * table and the picture are made from that file.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl, join } from "@std/path";
import { linear, type Optimiser, qzo, qzoPlus, zoSgd } from "../optim/mod.ts";
import { changesSvg } from "../show/changes_plot.ts";
import { evaluate, finetune, planOffsets } from "../train/mod.ts";
import { readTrainConfig, type TrainConfig } from "../train/config/schema.ts";
import { openRunSession, type RunSession } from "../train/runs/session.ts";
import { type TaskExamples, taskExamples } from "../train/runs/task_examples.ts";
import { sightOf } from "../models/architectures.ts";
import { readDataFile } from "../tasks/files.ts";
import { DATA } from "./finetune.ts";
import { keepRow, readRows } from "./support/kept_rows.ts";
import { TREC_TOKENS } from "./support/learning_cases.ts";
import { describeMachine } from "./support/machine.ts";
import { isTrained, modelsReport, type ModelsRow, nameOfRow } from "./support/models_report.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));
const ROWS = results("models.jsonl");

const HELP =
  `Trains small models of three architectures on three tasks with three optimisers, and writes a table and a picture.

Usage: deno task bench models [options]

  --only TEXT      runs whose name contains TEXT, for example "reviews-4m sst2" or "qzoPlus"
  --list           the runs that are not done yet
  --table          write the table and the picture of what is done, run nothing

Example: deno task bench models --only "reviews-opt-3m trec"`;

/** Names of the models, which have different architectures. */
const MODELS = ["reviews-4m", "reviews-opt-3m", "reviews-roberta-3m"];
const FORMAT = "int4_g32";
const BATCH = 4;
/** Number of forward passes of each run, whatever its optimiser. */
const FORWARDS = 100;
const HELD_OUT = 200;
const SHOTS = 3;
/** Seeds of the runs that are reported. */
const SEEDS = [1, 2, 3];
/** Learning rates of qzo, which zoSgd uses too. If there are several, runs with seed 0 choose one. */
const RATES: Readonly<Record<string, readonly number[]>> = {
  sst2: [5e-5],
  trec: [5e-5],
  text: [2e-5],
};

/** The settings of each task besides the model. */
const TASKS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  sst2: { task: "sst2", data: { folder: join(DATA, "tasks/sst2"), validation_limit: HELD_OUT } },
  trec: { task: "trec", data: { folder: join(DATA, "tasks/trec"), validation_limit: HELD_OUT } },
  text: {
    task: { name: "language-modelling", format: "lines" },
    data: { folder: join(DATA, "tasks/text"), train: "reviews.txt" },
    max_length: 48,
  },
};

type Rated = (learningRate: number) => (steps: number) => Optimiser;
const falling = (rate: number, total: number) => linear(rate, { total, warmup: 5 });
const OPTIMISERS: Readonly<Record<string, Rated>> = {
  qzo: (rate) => (steps) => qzo({ learningRate: falling(rate, steps) }),
  zoSgd: (rate) => (steps) => zoSgd({ learningRate: falling(rate, steps) }),
  qzoPlus: () => (steps) => qzoPlus({ steps }),
};

/** A training run to make. */
interface Job {
  readonly model: string;
  readonly task: string;
  readonly optimiser: string;
  readonly seed: number;
  /** Learning rate. Absent for the optimiser's default. */
  readonly rate?: number;
}

/**
 * TREC for reviews-roberta-3m, in whose vocabulary not all of the usual label words are one token: with other words, and a separate file of questions
 * labelled with the coarse half of their class.
 */
async function trecForMasks(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const lines = (await readDataFile(join(DATA, "tasks/trec/train.txt"), { encoding: "latin1" }))
    .split("\n").filter((line) => line !== "");
  const rows = lines.map((line) => {
    const [label] = line.split(":", 1);
    return JSON.stringify({ label, text: line.slice(line.indexOf(" ") + 1).trim() });
  });
  await Deno.writeTextFile(join(folder, "train.jsonl"), rows.join("\n"));
  return {
    task: {
      template: "{mask}: {text}",
      labels: TREC_TOKENS,
    },
    data: { folder, train: "train.jsonl", validation_limit: HELD_OUT },
  };
}

const rounded = (x: number, digits: number) => Number(x.toFixed(digits));

/** Models and examples, opened once. */
class Opened implements Disposable {
  readonly #sessions = new Map<string, RunSession>();
  readonly #examples = new Map<string, TaskExamples>();
  readonly #folder = Deno.makeTempDirSync({ prefix: "qzo-bench-" });

  async #config(model: string, task: string): Promise<TrainConfig> {
    const own = task === "trec" && model === "reviews-roberta-3m"
      ? await trecForMasks(this.#folder)
      : TASKS[task];
    return readTrainConfig({
      model: join(DATA, "models", model),
      quantize: { format: FORMAT },
      batch_size: BATCH,
      ...own,
    }, "bench models");
  }

  async session(model: string): Promise<RunSession> {
    const known = this.#sessions.get(model);
    if (known) return known;
    const opened = await openRunSession(await this.#config(model, "sst2"));
    this.#sessions.set(model, opened);
    return opened;
  }

  async examples(model: string, task: string, shots?: number): Promise<TaskExamples> {
    const key = `${model} ${task} ${shots ?? "none"}`;
    const known = this.#examples.get(key);
    if (known) return known;
    const { model: { tokenizer, maxPositions, config } } = await this.session(model);
    const found = await taskExamples(await this.#config(model, task), tokenizer!, {
      maxPositions,
      sees: sightOf(config),
      splits: shots === undefined ? ["train", "validation"] : ["validation"],
      shots: shots === undefined ? undefined : { count: SHOTS, seed: shots },
    });
    this.#examples.set(key, found);
    return found;
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session[Symbol.dispose]();
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** Evaluates an untrained model, with demonstrations chosen by seed `shots` if it is given. */
async function judge(opened: Opened, model: string, task: string, shots?: number) {
  const session = await opened.session(model);
  const { validation: { examples }, objective, notes } = await opened.examples(model, task, shots);
  const found = await evaluate(session.model, examples, { objective });
  await keepRow(ROWS, {
    model,
    task,
    ...(shots === undefined ? {} : { shots: SHOTS, seed: shots }),
    loss: rounded(found.loss, 5),
    ...(found.accuracy ? { accuracy: found.accuracy.accuracy } : {}),
    heldOut: found.examples,
    notes: shots === undefined ? [] : notes?.filter((note) => note.includes("demonstration")) ?? [],
    machine: await describeMachine(session.gpu.description),
  });
}

async function train(opened: Opened, { model, task, optimiser: name, seed, rate }: Job) {
  const session = await opened.session(model);
  const { train, validation: { examples }, objective } = await opened.examples(model, task);
  const make = OPTIMISERS[name](rate ?? NaN);
  const steps = Math.max(1, Math.floor(FORWARDS / make(1000).evaluations));
  const optimiser = make(steps);
  const begun = performance.now();
  using offsets = planOffsets(session.model, optimiser, session.gpu.maxBinding)
    .allocate(session.gpu);
  const settings = { model: session.model, optimiser, offsets, objective, steps, seed };
  let diverged = false;
  try {
    for await (const _ of finetune({ ...settings, train: train.examples, batchSize: BATCH }));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "NonFiniteLossError") throw error;
    diverged = true;
  }
  const minutes = (performance.now() - begun) / 60_000;
  const found = diverged
    ? undefined
    : await evaluate(session.model, examples, { objective, offsets });
  await keepRow(ROWS, {
    model,
    task,
    optimiser: name,
    seed,
    ...(rate === undefined ? {} : { rate }),
    forwards: steps * optimiser.evaluations,
    ...(found ? { loss: rounded(found.loss, 5) } : {}),
    ...(found?.accuracy ? { accuracy: found.accuracy.accuracy } : {}),
    heldOut: examples.length,
    minutes: rounded(minutes, 2),
    machine: await describeMachine(session.gpu.description),
  });
}

/** The learning rate with which qzo reached the lowest loss with seed 0. Undefined while a trial is missing. */
function chosenRate(rows: readonly ModelsRow[], model: string, task: string): number | undefined {
  if (RATES[task].length === 1) return RATES[task][0];
  const trials = rows.filter(isTrained).filter((row) =>
    row.model === model && row.task === task && row.optimiser === "qzo" && row.seed === 0
  );
  if (RATES[task].some((rate) => !trials.some((trial) => trial.rate === rate))) return undefined;
  return trials.reduce((a, b) => (b.loss ?? Infinity) < (a.loss ?? Infinity) ? b : a).rate;
}

/** A measurement to make. */
interface Work {
  readonly name: string;
  readonly run: (opened: Opened) => Promise<void>;
}

function work(rows: readonly ModelsRow[]): Work[] {
  const cases = Object.keys(TASKS).flatMap((task) => MODELS.map((model) => ({ model, task })));
  const first = cases.flatMap(({ model, task }) => [
    {
      name: nameOfRow({ model, task }),
      run: (opened: Opened) => judge(opened, model, task),
    },
    ...(RATES[task].length === 1
      ? []
      : RATES[task].map((rate) => trained({ model, task, optimiser: "qzo", seed: 0, rate }))),
  ]);
  const by = (optimisers: readonly string[], seed: number): Work[] =>
    cases.flatMap(({ model, task }) =>
      optimisers.flatMap((optimiser) => {
        if (optimiser === "qzoPlus") return [trained({ model, task, optimiser, seed })];
        const rate = chosenRate(rows, model, task);
        return rate === undefined ? [] : [trained({ model, task, optimiser, seed, rate })];
      })
    );
  const shown = (seed: number): Work[] =>
    cases.filter(({ task }) => task !== "text").map(({ model, task }) => ({
      name: nameOfRow({ model, task, shots: SHOTS, seed }),
      run: (opened: Opened) => judge(opened, model, task, seed),
    }));
  // The most informative runs come first, in case there is not enough time for all.
  const then = SEEDS.flatMap((seed) => [
    ...by(["qzo", "qzoPlus"], seed),
    ...by(["zoSgd"], seed),
    ...shown(seed),
  ]);
  return [...first, ...then];
}

function trained(job: Job): Work {
  return { name: nameOfRow(job), run: (opened) => train(opened, job) };
}

/** Makes the runs that are not done yet, then writes the table and the picture. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, { string: ["only"], boolean: ["list", "table", "help"] });
  if (args.help) return console.log(HELP);
  const left = async (): Promise<Work[]> => {
    const rows = await readRows<ModelsRow>(ROWS);
    const done = new Set(rows.map(nameOfRow));
    return work(rows).filter(({ name }) => !done.has(name) && name.includes(args.only ?? ""));
  };
  if (args.list) return console.log((await left()).map(({ name }) => name).join("\n"));
  if (!args.table) {
    if (!await Deno.stat(DATA).then(() => true, () => false)) {
      return console.log(`Skipped, because the real models and data are not in ${DATA}`);
    }
    using opened = new Opened();
    // Determined again each time, because the trials of learning rates lead to further runs.
    for (let [next] = await left(); next; [next] = await left()) {
      const begun = performance.now();
      await next.run(opened);
      console.log(`${next.name}: ${((performance.now() - begun) / 60_000).toFixed(1)} minutes`);
    }
  }
  const rows = await readRows<ModelsRow>(ROWS);
  const { text, changes } = modelsReport(rows, {
    models: MODELS,
    tasks: Object.keys(TASKS),
    optimisers: Object.keys(OPTIMISERS),
    seeds: SEEDS,
    settings: { format: FORMAT, batch: BATCH, forwards: FORWARDS, heldOut: HELD_OUT, rates: RATES },
    findings: [await Deno.readTextFile(results("models_findings.md"))],
  });
  await Deno.writeTextFile(results("models.md"), text);
  if (changes.length > 0) {
    const title = `Held-out loss before and after ${FORWARDS} forwards at 4 bits`;
    await Deno.writeTextFile(results("models.svg"), changesSvg(changes, title));
  }
  console.log(text);
}

if (import.meta.main) await main(Deno.args);
