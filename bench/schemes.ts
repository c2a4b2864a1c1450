/**
 * Tuning schemes by optimisers at equal forwards: what each gains in loss, and what it trains, takes and costs. Schemes are those that configurations
 * know; a new one is in the table by its name. Finished runs are kept in a file and not made again, so it can be interrupted; the table is made from
 * that file.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl, join } from "@std/path";
import {
  type Example,
  type Gpu,
  loadExamples,
  loadModel,
  openGpu,
  openModelSource,
  quantizedSource,
} from "../mod.ts";
import { type ModelSource, type Objective, packBatch, startedAdapter } from "../models/mod.ts";
import { namedOptimisers, type OptimiserName, optimiserNames } from "../optim/mod.ts";
import { sightOf } from "../models/architectures.ts";
import { adapterDefaults } from "../train/config/optimiser.ts";
import { readTrainConfig } from "../train/config/schema.ts";
import { schemeNames } from "../train/config/scheme_schema.ts";
import {
  configuredAdapter,
  evaluate,
  finetune,
  offsetsFor,
  optimiserOfConfig,
  planMemory,
  type SchemeName,
  selectionOfConfig,
  type TrainConfig,
} from "../train/mod.ts";
import { DATA, type Split } from "./finetune.ts";
import { keepRow, readRows } from "./support/kept_rows.ts";
import { describeMachine } from "./support/machine.ts";
import { QUALITY_MODELS } from "./support/quality_models.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));
const ROWS = results("schemes.jsonl");
const REPORT = results("schemes.md");

/** The model that every clone has. */
const BUNDLED = "demo/model.gguf";

/** Of a run, whatever its optimiser. */
const FORWARDS = 300;

/** Multiples of the default learning rates that are tried; the best is chosen by examples that are neither trained on nor held out. */
const FACTORS = [1, 0.1, 10, 100];

const OPTIMISERS: readonly OptimiserName[] = [
  "qzo",
  "qzoNormalised",
  "qzoPlus",
  "zoSgd",
  "zoAdam",
  "zoSgdSign",
];

const HELP =
  `Trains real models with every scheme and several optimisers, with equal numbers of forward passes, and writes a table.

Usage: deno task bench schemes [options]

  --only TEXT        runs whose name has all words of TEXT, for example "sst2 lora qzoPlus"
  --seeds N          seeds 0 to N-1 (default 1)
  --factors LIST     multiples of the default learning rates (default 1; a grid: ${
    FACTORS.join(",")
  })
  --optimisers LIST  names (default ${OPTIMISERS.join(",")})
  --schemes LIST     names (default: all)
  --forwards N       another number of forwards (default ${FORWARDS}; kept under its own name)
  --list             the runs that are not done yet
  --table            write the table of what is done, run nothing

Example: deno task bench schemes --only "stories int4" --seeds 3 --factors ${FACTORS.join(",")}`;

/** A model with its examples. */
interface Opened extends Split, Disposable {
  readonly source: ModelSource;
}

/** A model, its data and a format. */
interface Case {
  readonly model: string;
  readonly format: string;
  readonly objective: Objective;
  readonly batchSize: number;
  /** Examples held out, and as many to choose a learning rate by. Default {@linkcode HELD_OUT}. */
  readonly heldOut?: number;
  readonly open: () => Promise<Opened>;
}

/** Examples held out, and as many to choose a learning rate by. */
const HELD_OUT = 200;

/** SST-2 with MeZO's prompt. */
function sst2(model: string, format: string): Case {
  const open = async (): Promise<Opened> => {
    const source = await openModelSource(join(DATA, "models", model));
    const options = { maximumLength: source.config.context };
    const read = (split: "train" | "dev") =>
      loadExamples(source.tokenizer, "sst2", split, join(DATA, "tasks/sst2"), options);
    const [train, heldOut] = [await read("train"), await read("dev")];
    return { source, train, heldOut, [Symbol.dispose]: () => source[Symbol.dispose]() };
  };
  return { model, format, open, objective: "classification", batchSize: 16 };
}

/** The bundled model and its reviews, which every clone has. */
function bundled(format: string): Case {
  const folder = fromFileUrl(new URL("../demo", import.meta.url));
  const template = {
    name: "reviews",
    prompt: "{sentence} It was",
    labels: { "0": " terrible", "1": " great" },
  };
  const files = { train: "reviews_train.jsonl", dev: "reviews_test.jsonl" };
  const open = async (): Promise<Opened> => {
    const source = await openModelSource(join(folder, "model.gguf"));
    const task = { name: "reviews", template, format: "jsonl", files } as const;
    const read = (split: "train" | "dev") => loadExamples(source.tokenizer, task, split, folder);
    const [train, heldOut] = [await read("train"), await read("dev")];
    return { source, train, heldOut, [Symbol.dispose]: () => source[Symbol.dispose]() };
  };
  return { model: BUNDLED, format, open, objective: "classification", batchSize: 8, heldOut: 100 };
}

/** Tokens of the longest example of a brief case. */
const BRIEF = 24;

/** A task's short examples alone, four a step, so that a run of a hundred forwards takes a minute of two processors. */
function brief(task: "sst2" | "trec", model: string, format: string): Case {
  const open = async (): Promise<Opened> => {
    const source = await openModelSource(join(DATA, "models", model));
    const options = { maximumLength: source.config.context, sees: sightOf(source.config) };
    const read = async (split: "train" | "dev" | "test") => {
      const all = await loadExamples(
        source.tokenizer,
        task,
        split,
        join(DATA, "tasks", task),
        options,
      );
      return all.filter(({ prompt, candidates }) =>
        prompt.length + Math.max(...candidates.map(({ length }) => length)) <= BRIEF
      );
    };
    const [train, heldOut] = [await read("train"), await read(task === "sst2" ? "dev" : "test")];
    return { source, train, heldOut, [Symbol.dispose]: () => source[Symbol.dispose]() };
  };
  return { model, format, open, objective: "classification", batchSize: 4, heldOut: 48 };
}

/** Short windows of stories, so that a run takes a minute. */
function stories(model: "stories260k" | "tinystories-656k", format: string): Case {
  const open = async (): Promise<Opened> => {
    const opened = await QUALITY_MODELS[model]();
    const cut = (some: readonly Example[]) =>
      some.map((one) => ({ ...one, candidates: [one.candidates[0].slice(0, 48)] }));
    return { ...opened, train: cut(opened.train), heldOut: cut(opened.heldOut) };
  };
  return { model, format, open, objective: "language-modelling", batchSize: 8 };
}

const CASES: Readonly<Record<string, Case>> = {
  "bundled Q4_0": bundled("Q4_0"),
  "stories260k int4": stories("stories260k", "int4_g32"),
  "stories260k int2": stories("stories260k", "int2_g32"),
  "stories int4": stories("tinystories-656k", "int4_g32"),
  "sst2 int4": sst2("reviews-4m", "int4_g32"),
  "sst2 int2": sst2("reviews-4m", "int2_g32"),
  "sst2 OPT int4": sst2("reviews-opt-3m", "int4_g32"),
  "brief-sst2 int4": brief("sst2", "reviews-4m", "int4_g32"),
  "brief-trec int4": brief("trec", "reviews-4m", "int4_g32"),
  "brief-sst2 int2": brief("sst2", "reviews-4m", "int2_g32"),
  "brief-sst2-opt int4": brief("sst2", "reviews-opt-3m", "int4_g32"),
  "brief-sst2-roberta int4": brief("sst2", "reviews-roberta-3m", "int4_g32"),
};

/** A run to make. */
interface Job {
  readonly case: string;
  readonly scheme: SchemeName;
  readonly optimiser: OptimiserName;
  readonly factor: number;
  readonly seed: number;
  readonly forwards: number;
}

/** Losses and accuracy of some examples. */
interface Judged {
  readonly loss: number;
  readonly accuracy?: number | undefined;
}

/** A run that was made; of a scheme that the model has nothing for, only why. */
interface Row extends Job {
  readonly none?: string;
  readonly before?: Judged;
  readonly after?: Judged;
  /** Of what learning rates are chosen by. */
  readonly choice?: number;
  readonly steps?: number;
  readonly scalars?: number;
  /** MiB in all, and of it beside the weights and activations. */
  readonly memory?: number;
  readonly own?: number;
  readonly seconds?: number;
  readonly machine?: string;
}

const nameOf = ({ case: of, scheme, optimiser, factor, seed, forwards }: Job) =>
  `${of} ${scheme} ${optimiser} x${factor} seed ${seed} forwards ${forwards}`;

/** The configuration of a run: defaults, every learning rate times the factor. */
function configOf({ scheme, optimiser: name, factor, seed, forwards, ...job }: Job): TrainConfig {
  const { model, format, batchSize } = CASES[job.case];
  const of = (steps: number, more = {}) =>
    readTrainConfig({
      model: join(DATA, "models", model),
      quantize: { format },
      scheme,
      seed,
      steps,
      batch_size: batchSize,
      ...more,
    }, "bench");
  const usual = of(1, { optimiser: { name } });
  const made = optimiserOfConfig(usual);
  const steps = Math.max(1, Math.floor(forwards / made.evaluations));
  if (factor === 1) return of(steps, { optimiser: { name, schedule: { kind: "linear" } } });
  const { shared } = namedOptimisers[name];
  const alone = made.groups === undefined &&
    usual.trainables.kinds.find((kind) => kind === scheme);
  const rate = alone ? adapterDefaults(name, alone).learningRate : shared.learningRate.default!;
  return of(steps, {
    optimiser: { name, learning_rate: factor * rate, schedule: { kind: "linear" } },
    ...made.groups
      ? {
        groups: Object.fromEntries(
          made.groups.map((one) => [one.name, { learning_rate: factor * one.learningRate }]),
        ),
      }
      : {},
  });
}

async function run(gpu: Gpu, job: Job): Promise<Row> {
  const { open, objective, batchSize, format, heldOut: few = HELD_OUT } = CASES[job.case];
  const config = configOf(job);
  using opened = await open();
  const { train, heldOut } = opened;
  const source = quantizedSource(opened.source, { format });
  using base = await loadModel(gpu, source);
  const held = heldOut.slice(0, few);
  // At the end of what is trained on, where that is long enough to do without.
  const chosenBy = objective === "classification" ? train.slice(-few) : train.slice(-48);
  const seen = train.slice(0, train.length - chosenBy.length);
  const made = configuredAdapter(config, base);
  const added = made && await startedAdapter(base, made);
  using adapted = added && base.withAdapter(added);
  const model = adapted ?? base;
  const optimiser = optimiserOfConfig(config);
  const selection = selectionOfConfig(config);
  const { seed, steps } = config;
  const how = { selection, train: seen, objective, batchSize, seed };
  let offsets;
  try {
    offsets = await offsetsFor(model, optimiser, how);
  } catch (error) {
    if (error instanceof RangeError && error.message.includes("no tensor has kind")) {
      return { ...job, none: "the model has none" };
    }
    throw error;
  }
  using owned = offsets;
  const settings = { objective, batchSize };
  const judge = async (some: typeof held, moved?: typeof offsets): Promise<Judged> => {
    const { loss, accuracy } = await evaluate(model, some, {
      ...settings,
      ...moved ? { offsets: moved } : {},
    });
    return { loss: Number(loss.toFixed(5)), ...accuracy ? { accuracy: accuracy.accuracy } : {} };
  };
  const before = await judge(held);
  const begun = performance.now();
  for await (
    const _ of finetune({
      ...{ model, optimiser, offsets: owned, train: seen, steps, seed },
      ...settings,
      keepBest: false,
    })
  );
  const seconds = (performance.now() - begun) / 1000;
  const after = await judge(held, owned);
  const choice = (await judge(chosenBy, owned)).loss;
  const { shape } = packBatch(seen.slice(0, batchSize), objective, model);
  const plan = planMemory(source, { optimiser, selection, adapter: added, shape });
  const mebibytes = (bytes: number) => Number((bytes / 2 ** 20).toFixed(2));
  return {
    ...{ ...job, before, after, choice, steps, scalars: owned.scalars },
    ...{ memory: mebibytes(plan.total), own: mebibytes(plan.offsets + plan.optimiser) },
    ...{ seconds: Number(seconds.toFixed(1)), machine: await describeMachine(gpu.description) },
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A cell: the loss after, by seed, and the accuracy where there is one. */
function cell(rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  if (rows.some(({ none }) => none)) return "none";
  const losses = rows.map(({ after }) => after!.loss);
  const loss = mean(losses);
  if (!Number.isFinite(loss)) return "diverged";
  const accuracies = rows.flatMap(({ after }) => after?.accuracy ?? []);
  const spread = losses.length > 1
    ? ` (${Math.min(...losses).toFixed(3)}-${Math.max(...losses).toFixed(3)})`
    : "";
  return `${loss.toFixed(3)}${spread}${
    accuracies.length > 0 ? `, ${(100 * mean(accuracies)).toFixed(1)} %` : ""
  }`;
}

function by<Key>(rows: readonly Row[], key: (row: Row) => Key): Map<Key, Row[]> {
  const out = new Map<Key, Row[]>();
  for (const row of rows) out.set(key(row), [...out.get(key(row)) ?? [], row]);
  return out;
}

/** The rows of the learning rate that the choosing examples like best, where several were tried. */
function best(rows: readonly Row[]): Row[] | undefined {
  const tried = [...by(rows, ({ factor }) => factor).values()];
  if (tried.length < 2) return undefined;
  const score = (some: readonly Row[]) => {
    const found = mean(some.map(({ choice = Infinity }) => choice));
    return Number.isFinite(found) ? found : Infinity;
  };
  return tried.reduce((one, other) => score(other) < score(one) ? other : one);
}

function tableOf(name: string, rows: readonly Row[]): string[] {
  const start = rows.find(({ before }) => before)?.before;
  const [{ forwards }] = rows;
  const optimisers = optimiserNames.filter((one) =>
    rows.some(({ optimiser }) => optimiser === one)
  );
  const schemes = schemeNames.filter((one) => rows.some(({ scheme }) => scheme === one));
  const of = (scheme: SchemeName, optimiser: OptimiserName) =>
    rows.filter((row) => row.scheme === scheme && row.optimiser === optimiser);
  const lines = schemes.flatMap((scheme) => {
    const cells = optimisers.map((optimiser) => of(scheme, optimiser));
    const usual = cells.map((some) => cell(some.filter(({ factor }) => factor === 1)));
    const tuned = cells.map((some) => {
      const found = best(some);
      return found ? `${cell(found)} at x${found[0].factor}` : "";
    });
    const made = rows.filter((row) => row.scheme === scheme && !row.none);
    const facts = made.length === 0
      ? " | | | |"
      : ` ${made[0].scalars} | ${range(made, "own")} | ${range(made, "memory")} | ${
        range(made, "seconds", 0)
      } |`;
    return [
      `| ${scheme} | ${usual.join(" | ")} |${facts}`,
      ...tuned.some((one) => one !== "")
        ? [`| ${scheme}, tuned | ${tuned.join(" | ")} | | | | |`]
        : [],
    ];
  });
  return [
    `## ${name}`,
    "",
    `${CASES[name]?.model} at ${CASES[name]?.format}, ${forwards} forwards, ${
      new Set(rows.map(({ seed }) => seed)).size
    } seeds at most. Before: ${start?.loss.toFixed(3)}${
      start?.accuracy === undefined ? "" : `, ${(100 * start.accuracy).toFixed(1)} %`
    }.`,
    "",
    `| scheme | ${
      optimisers.join(" | ")
    } | scalars | MiB of offsets and optimiser | MiB in all | seconds |`,
    `|---|${optimisers.map(() => "---|").join("")}---|---|---|---|`,
    ...lines,
    "",
  ];
}

function range(rows: readonly Row[], key: "own" | "memory" | "seconds", digits = 1): string {
  const values = rows.map((row) => row[key] ?? NaN);
  const [low, high] = [Math.min(...values), Math.max(...values)].map((it) => it.toFixed(digits));
  return low === high ? low : `${low} to ${high}`;
}

const CLAIMS = results("schemes_claims.md");

async function report(rows: readonly Row[]): Promise<string> {
  const tables = [...by(rows, ({ case: of, forwards }) => `${of}|${forwards}`)].flatMap((
    [key, some],
  ) => tableOf(key.split("|")[0], some));
  const claims = await Deno.readTextFile(CLAIMS).catch(() => "");
  return [
    "# Schemes by optimisers",
    "",
    `\`deno task bench schemes\`. Held-out loss in nats (mean over seeds, lowest and highest) and accuracy after training with each optimiser's default epsilon`,
    `and learning rate, which falls linearly to 0. "Tuned": the learning rate of ${
      FACTORS.join(", ")
    } times the default with the lowest loss on examples that are`,
    "neither trained on nor held out. None: the model has nothing of that kind. Seconds were taken beside other work.",
    "",
    ...tables,
    ...claims === "" ? [] : [claims.trim(), ""],
    rows.at(-1)?.machine ?? "",
    "",
  ].join("\n");
}

const list = <Name extends string>(text: string): Name[] => text.split(",") as Name[];

/** Runs what is not done yet, then writes the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["only", "seeds", "factors", "optimisers", "schemes", "forwards"],
    boolean: ["list", "table", "help"],
    default: { seeds: "1", factors: "1" },
  });
  if (args.help) return console.log(HELP);
  const forwards = Number(args.forwards ?? FORWARDS);
  const optimisers = args.optimisers ? list<OptimiserName>(args.optimisers) : OPTIMISERS;
  const schemes = args.schemes ? list<SchemeName>(args.schemes) : schemeNames;
  const factors = args.factors.split(",").map(Number);
  const jobs: Job[] = [];
  for (let seed = 0; seed < Number(args.seeds); seed++) {
    for (const name of Object.keys(CASES)) {
      for (const scheme of schemes) {
        for (const optimiser of optimisers) {
          for (const factor of factors) {
            jobs.push({ case: name, scheme, optimiser, factor, seed, forwards });
          }
        }
      }
    }
  }
  const words = (args.only ?? "").split(" ");
  const done = new Set((await readRows<Row>(ROWS)).map(nameOf));
  const left = jobs.filter((job) =>
    !done.has(nameOf(job)) &&
    words.every((word) => nameOf(job).split(" ").some((one) => one === word) || word === "")
  );
  if (args.list) return console.log(left.map(nameOf).join("\n"));
  if (!args.table && left.length > 0) {
    const hasData = await Deno.stat(DATA).then(() => true, () => false);
    const able = left.filter((job) => hasData || CASES[job.case].model === BUNDLED);
    if (able.length < left.length) {
      console.log(
        `Skipped ${left.length - able.length}, because the real models and data are not at ${DATA}`,
      );
    }
    using gpu = await openGpu();
    for (const job of able) {
      const row = await run(gpu, job).catch((error): Row => {
        if (error?.name !== "NonFiniteLossError") throw error;
        return { ...job, after: { loss: NaN } };
      });
      await keepRow(ROWS, row);
      console.log(
        `${nameOf(job)}: ${
          row.none ?? `${row.before?.loss} -> ${row.after?.loss}`
        } in ${row.seconds} s`,
      );
    }
  }
  const text = await report(await readRows<Row>(ROWS));
  await Deno.writeTextFile(REPORT, text);
  console.log(text);
}

if (import.meta.main) await main(Deno.args);
