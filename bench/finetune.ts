/**
 * Measures held-out loss and accuracy of real models on tasks before and after QZO, with several seeds. Finished runs are kept in a file and not
 * repeated, so it can be interrupted; the table is printed from that file.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { dirname, fromFileUrl, join } from "@std/path";
import { ProgressLine } from "../show/progress.ts";
import {
  type Example,
  type Gpu,
  languageModellingExamples,
  linear,
  loadModel,
  loadTask,
  openGpu,
  openModelSource,
  planOffsets,
  quantizedSource,
  qzo,
  qzoNormalised,
  tokeniseExample,
} from "../mod.ts";
import { type ModelSource, type Objective, type Tokenizer, writeModel } from "../models/mod.ts";
import { foAdam, foAdamW, foSgd, type Optimiser } from "../optim/mod.ts";
import { builtInTask } from "../tasks/mod.ts";
import { readDataFile } from "../tasks/files.ts";
import { evaluate, finetune } from "../train/mod.ts";

/** Folder of the shared data. */
export const DATA: string = fromFileUrl(new URL("../../shared/data/", import.meta.url));
const RESULTS = fromFileUrl(new URL("./results/finetune.jsonl", import.meta.url));

const HELP = `Fine-tunes real models with QZO and prints a table.

Usage: deno task bench finetune [options]

  --seeds N        seeds 0 to N-1 (default 3)
  --only TEXT      cases whose name contains TEXT
  --list           the cases
  --table          print the table of finished runs without running anything
  --lr X           another peak learning rate (kept under its own name)
  --steps N        another number of steps (kept under its own name)
  --exact NAME     exact gradients: foAdam, foAdamW or foSgd at its own learning rate or --lr, constant (kept under its own name)
  --plain          relative QZO without normalisation (kept under its own name)

Example: deno task bench finetune --only sst2 --seeds 1`;

/** Training and held-out examples. */
export interface Split {
  readonly train: readonly Example[];
  readonly heldOut: readonly Example[];
}

interface Case {
  readonly name: string;
  readonly model: string;
  readonly format: string;
  readonly objective: Objective;
  readonly examples: (tokenizer: Tokenizer, context: number) => Promise<Split>;
  readonly batchSize: number;
  readonly steps: number;
  readonly learningRate: number;
}

interface Result {
  readonly name: string;
  readonly format: string;
  readonly recipe: string;
  readonly seed: number;
  readonly steps: number;
  readonly forwards: number;
  readonly minutes: number;
  readonly lossBefore: number;
  readonly lossAfter: number;
  readonly accuracyBefore?: number;
  readonly accuracyAfter?: number;
  readonly heldOut: number;
  readonly adapter: string;
  readonly date: string;
}

/** The training and held-out windows of a text. */
export interface TextCase {
  /** Name of the file in `tasks/text` of the shared data. */
  readonly file: string;
  /** Divides the text into documents, across which no window extends. */
  readonly documents: (text: string) => string[];
  /** Tokens per window. */
  readonly length: number;
  /** Number of training windows, and of held-out windows after them. */
  readonly counts: readonly [number, number];
  /** Whether each document is divided separately and every fourth is held out. Default: the documents are one stream. */
  readonly apart?: boolean;
}

/** The beginning of a story. Stories, like paragraphs, are separated only by a blank line. */
const OPENING = /^(Once upon|Once there|One day|There was|There once)/;

/** Joins paragraphs to stories. A story starts with a typical beginning, or after a paragraph that breaks off. */
function storiesOf(text: string): string[] {
  const stories: string[] = [];
  let before = "";
  for (const paragraph of text.split("\n\n")) {
    const begins = OPENING.test(paragraph) || !/[.!?"]$/.test(before.trimEnd());
    if (begins) stories.push(paragraph);
    else stories.push(`${stories.pop()}\n\n${paragraph}`);
    before = paragraph;
  }
  return stories;
}

/** The text cases. */
export const TEXTS: { readonly [name in "stories" | "whole" | "reviews"]: TextCase } = {
  stories: { file: "tinystories.txt", documents: (text) => [text], length: 96, counts: [287, 96] },
  whole: {
    file: "tinystories.txt",
    documents: storiesOf,
    length: 96,
    counts: [287, 96],
    apart: true,
  },
  reviews: {
    file: "reviews.txt",
    documents: (text) => text.trim().split("\n"),
    length: 64,
    counts: [800, 64],
  },
};

/** Reads the text of a case and divides it into windows. */
export async function windows(
  { file, documents, length, counts, apart = false }: TextCase,
  tokenizer: Tokenizer,
): Promise<Split> {
  const text = await readDataFile(join(DATA, "tasks/text", file));
  // As in the independent measurement that this is compared with: no BOS before a window, held-out windows after the training ones.
  const cut = (some: readonly string[]) =>
    languageModellingExamples(tokenizer, some, { length: length + 1 })
      .map((e) => ({ ...e, candidates: [e.candidates[0].slice(1)] }))
      .filter((e) => e.candidates[0].length === length);
  if (apart) {
    const all = documents(text).flatMap((document) => cut([document]));
    const isHeld = (_: Example, i: number) => i % 4 === 0;
    return {
      train: all.filter((one, i) => !isHeld(one, i)).slice(0, counts[0]),
      heldOut: all.filter(isHeld).slice(0, counts[1]),
    };
  }
  const all = cut(documents(text));
  const train = all.slice(0, counts[0]);
  const heldOut = all.slice(counts[0], counts[0] + counts[1]);
  return { train, heldOut };
}

async function labelled(
  name: string,
  split: "dev" | "test",
  heldOut: number,
  prompt: string,
  tokenizer: Tokenizer,
  context: number,
): Promise<Split> {
  const known = builtInTask(name);
  const task = { ...known, template: { ...known.template, prompt } };
  const read = async (which: "train" | "dev" | "test") =>
    (await loadTask(task, which, join(DATA, "tasks", name)))
      .map((e) => tokeniseExample(tokenizer, e, { maximumLength: context }));
  return { train: await read("train"), heldOut: (await read(split)).slice(0, heldOut) };
}

function cases(format: string): Case[] {
  return [
    {
      name: "tinystories-656k stories",
      model: "tinystories-656k",
      format,
      objective: "language-modelling",
      examples: (t) => windows(TEXTS.stories, t),
      batchSize: 8,
      steps: 320,
      learningRate: 8e-3,
    },
    {
      name: "tinystories-656k story by story",
      model: "tinystories-656k",
      format,
      objective: "language-modelling",
      examples: (t) => windows(TEXTS.whole, t),
      batchSize: 8,
      steps: 320,
      learningRate: 8e-3,
    },
    {
      name: "reviews-4m sst2",
      model: "reviews-4m",
      format,
      objective: "classification",
      examples: (t, c) => labelled("sst2", "dev", 400, "{text} it was", t, c),
      batchSize: 16,
      steps: 250,
      learningRate: 2e-2,
    },
    {
      name: "reviews-4m trec",
      model: "reviews-4m",
      format,
      objective: "classification",
      examples: (t, c) => labelled("trec", "test", 500, builtInTask("trec").template.prompt, t, c),
      batchSize: 8,
      steps: 240,
      learningRate: 6e-2,
    },
    {
      name: "reviews-4m reviews",
      model: "reviews-4m",
      format,
      objective: "language-modelling",
      examples: (t) => windows(TEXTS.reviews, t),
      batchSize: 4,
      steps: 200,
      learningRate: 8e-3,
    },
  ];
}

const FORMATS = ["int4_g32", "codebook2x8"];

async function readResults(): Promise<Result[]> {
  const text = await Deno.readTextFile(RESULTS).catch(() => "");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Result);
}

/** Quantised models in folders, each made once, because codebooks take a minute to fit and are the same for every seed. */
class Quantised implements AsyncDisposable {
  readonly #folders = new Map<string, string>();

  async open(c: Case): Promise<ModelSource> {
    const key = `${c.model} ${c.format}`;
    let folder = this.#folders.get(key);
    if (!folder) {
      folder = await Deno.makeTempDir({ prefix: "qzo-bench-" });
      this.#folders.set(key, folder);
      using stored = await openModelSource(join(DATA, "models", c.model));
      await writeModel(quantizedSource(stored, { format: c.format }), join(folder, "model"));
    }
    return await openModelSource(join(folder, "model"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.#folders.values()) await Deno.remove(folder, { recursive: true });
  }
}

/** How a case is trained. */
interface Recipe {
  readonly name: string;
  readonly optimiser: Optimiser;
  readonly steps: number;
}

function recipeOf(
  args: { lr?: string; plain: boolean; exact?: string },
  { steps, learningRate: usual }: Case,
): Recipe {
  if (args.exact !== undefined) {
    const { [args.exact]: made } = { foAdam, foAdamW, foSgd } as Readonly<
      Record<string, typeof foAdam | typeof foAdamW | typeof foSgd>
    >;
    if (!made) {
      throw new RangeError(
        `Cannot train by "${args.exact}": expected foAdam, foAdamW or foSgd`,
      );
    }
    const learningRate = Number(args.lr ?? made.shared.learningRate.default);
    const optimiser = made({ learningRate });
    return { name: `${args.exact} ${learningRate} constant`, optimiser, steps };
  }
  const peak = args.lr ? Number(args.lr) : usual;
  const learningRate = linear(peak, { total: steps, warmup: Math.min(10, Math.ceil(steps / 10)) });
  return {
    name: `${args.plain ? "relative" : "normalised"} ${peak} linear`,
    optimiser: args.plain
      ? qzo({ form: "relative", epsilon: 0.02, learningRate, clip: Infinity })
      : qzoNormalised({ learningRate }),
    steps,
  };
}

async function runCase(
  gpu: Gpu,
  quantised: Quantised,
  c: Case,
  seed: number,
  { name: recipe, optimiser, steps }: Recipe,
): Promise<Result> {
  using source = await quantised.open(c);
  using model = await loadModel(gpu, source);
  const { train, heldOut } = await c.examples(model.tokenizer!, model.maxPositions);
  using offsets = planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
  const options = { objective: c.objective, batchSize: 16 };
  const before = await evaluate(model, heldOut, options);
  const begun = performance.now();
  {
    using line = new ProgressLine();
    let loss = NaN;
    for await (
      const event of finetune({
        model,
        optimiser,
        offsets,
        objective: c.objective,
        train,
        batchSize: c.batchSize,
        steps,
        seed,
      })
    ) {
      if (event.type !== "step") continue;
      loss = Number.isNaN(loss) ? event.loss : 0.95 * loss + 0.05 * event.loss;
      const seconds = (performance.now() - begun) / 1000;
      line.show({
        step: event.step,
        total: steps,
        seconds,
        loss,
        tokensPerSecond: event.tokensPerSecond,
      });
    }
  }
  const minutes = (performance.now() - begun) / 60_000;
  const after = await evaluate(model, heldOut, { ...options, offsets });
  return {
    name: c.name,
    format: c.format,
    recipe,
    seed,
    steps,
    // With exact gradients, each forward pass is followed by a backward pass.
    forwards: steps * (optimiser.estimator.exact ? 1 : optimiser.evaluations),
    minutes: Number(minutes.toFixed(2)),
    lossBefore: before.loss,
    lossAfter: after.loss,
    ...(before.accuracy && after.accuracy
      ? { accuracyBefore: before.accuracy.accuracy, accuracyAfter: after.accuracy.accuracy }
      : {}),
    heldOut: heldOut.length,
    adapter: gpu.description,
    date: new Date().toISOString().slice(0, 10),
  };
}

function table(results: readonly Result[]): string {
  const keys = [...new Set(results.map((r) => `${r.name}|${r.format}|${r.recipe}|${r.steps}`))];
  const lines = keys.map((key) => {
    const rows = results.filter((r) => `${r.name}|${r.format}|${r.recipe}|${r.steps}` === key);
    const [first] = rows;
    const list = (pick: (r: Result) => number | undefined, show: (x: number) => string) =>
      rows.every((r) => pick(r) !== undefined) ? rows.map((r) => show(pick(r)!)).join(" / ") : "";
    const percent = (x: number) => (100 * x).toFixed(1);
    return `| ${first.name} | ${first.format} | ${first.recipe} | ${
      first.lossBefore.toFixed(3)
    } | ${list((r) => r.lossAfter, (x) => x.toFixed(3))} | ${
      first.accuracyBefore === undefined ? "" : percent(first.accuracyBefore)
    } | ${list((r) => r.accuracyAfter, percent)} | ${first.steps} | ${first.forwards} | ${
      list((r) => r.minutes, (x) => x.toFixed(1))
    } |`;
  });
  return [
    "| model, task | format | recipe | loss before | after, by seed | accuracy before | after, by seed | steps | forwards | minutes |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

/** Makes the runs that are not done yet, then prints the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["seeds", "only", "lr", "steps", "exact"],
    boolean: ["list", "table", "plain", "help"],
    default: { seeds: "3" },
  });
  if (args.help) return console.log(HELP);
  const all = FORMATS.flatMap((format) => cases(format))
    .map((c) => ({ ...c, ...(args.steps ? { steps: Number(args.steps) } : {}) }))
    .filter((c) => `${c.name} ${c.format}`.includes(args.only ?? ""));
  if (args.list) return console.log(all.map((c) => `${c.name} ${c.format}`).join("\n"));
  if (args.table) return console.log(table(await readResults()));
  if (!await Deno.stat(DATA).then(() => true, () => false)) {
    return console.log(`Skipped, because the real models and data are not in ${DATA}`);
  }
  await Deno.mkdir(dirname(RESULTS), { recursive: true });
  using gpu = await openGpu();
  await using quantised = new Quantised();
  for (let seed = 0; seed < Number(args.seeds); seed++) {
    for (const c of all) {
      const recipe = recipeOf(args, c);
      const done = (await readResults()).some((r) =>
        r.name === c.name && r.format === c.format && r.recipe === recipe.name && r.seed === seed &&
        r.steps === recipe.steps
      );
      if (done) continue;
      console.log(`${c.name}, ${c.format}, ${recipe.name}, seed ${seed}`);
      const result = await runCase(gpu, quantised, c, seed, recipe);
      await Deno.writeTextFile(RESULTS, `${JSON.stringify(result)}\n`, { append: true });
      console.log(table([result]).split("\n")[2]);
    }
  }
  console.log(`\n${table(await readResults())}`);
}

if (import.meta.main) await main(Deno.args);
