/**
 * What benches train: small real models with a task each, and the model that every clone has.
 *
 * @module
 */

import { fromFileUrl, join } from "@std/path";
import {
  type Example,
  languageModellingExamples,
  loadExamples,
  openModelSource,
} from "../../mod.ts";
import type { ModelSource, Objective } from "../../models/mod.ts";
import { sightOf } from "../../models/architectures.ts";
import { readDataFile } from "../../tasks/files.ts";
import { builtInTask } from "../../tasks/mod.ts";
import { DATA, type Split, TEXTS, windows } from "../finetune.ts";
import { QUALITY_MODELS } from "./quality_models.ts";

/** The model that every clone has. */
export const BUNDLED = "demo/model.gguf";

/** A model with its examples. */
export interface Opened extends Split, Disposable {
  readonly source: ModelSource;
}

/** A model, its data and a format. */
export interface Case {
  readonly model: string;
  readonly format: string;
  readonly objective: Objective;
  readonly batchSize: number;
  /** Examples held out, and as many to choose a learning rate by. Default {@linkcode HELD_OUT}. */
  readonly heldOut?: number;
  readonly open: () => Promise<Opened>;
}

/** Examples held out, and as many to choose a learning rate by. */
export const HELD_OUT = 200;

/** A function that opens a model and reads its examples. */
function opening(path: string, read: (source: ModelSource) => Promise<Split>): Case["open"] {
  return async () => {
    const source = await openModelSource(path);
    return { ...await read(source), source, [Symbol.dispose]: () => source[Symbol.dispose]() };
  };
}

/** The path of a model in the shared data. */
const shared = (model: string) => join(DATA, "models", model);

/** Shortens the single text of each example. */
const cut = (some: readonly Example[], length: number) =>
  some.map((one) => ({ ...one, candidates: [one.candidates[0].slice(0, length)] }));

/** SST-2 with MeZO's prompt. */
function sst2(model: string, format: string): Case {
  const open = opening(shared(model), async ({ tokenizer, config }) => {
    const options = { maximumLength: config.context };
    const read = (split: "train" | "dev") =>
      loadExamples(tokenizer, "sst2", split, join(DATA, "tasks/sst2"), options);
    return { train: await read("train"), heldOut: await read("dev") };
  });
  return { model, format, open, objective: "classification", batchSize: 16 };
}

/** The bundled model and its reviews, which every clone has. */
function bundled(format: string): Case {
  const folder = fromFileUrl(new URL("../../demo", import.meta.url));
  const template = {
    name: "reviews",
    prompt: "{sentence} It was",
    labels: { "0": " terrible", "1": " great" },
  };
  const files = { train: "reviews_train.jsonl", dev: "reviews_test.jsonl" };
  const task = { name: "reviews", template, format: "jsonl", files } as const;
  const open = opening(join(folder, "model.gguf"), async ({ tokenizer }) => {
    const read = (split: "train" | "dev") => loadExamples(tokenizer, task, split, folder);
    return { train: await read("train"), heldOut: await read("dev") };
  });
  return { model: BUNDLED, format, open, objective: "classification", batchSize: 8, heldOut: 100 };
}

/** Tokens of the longest example of a brief case. */
const BRIEF = 24;

/** Words for the classes of TREC that are one token each for reviews-roberta-3m, unlike the task's own. */
export const TREC_TOKENS: Readonly<Record<string, string>> = {
  ABBR: " word",
  DESC: " meaning",
  ENTY: " thing",
  HUM: " person",
  LOC: " place",
  NUM: " number",
};

/** The tasks as they are, but for what masked models are asked on TREC. */
const TASKS = {
  sst2: builtInTask("sst2"),
  trec: {
    ...builtInTask("trec"),
    masked: { name: "trec", prompt: "{mask}: {text}", labels: TREC_TOKENS },
  },
};

/** A task's short examples alone, four a step, so that a run of a hundred forwards takes a minute of two processors. */
function brief(task: "sst2" | "trec", model: string, format: string): Case {
  const folder = join(DATA, "tasks", task);
  const open = opening(shared(model), async ({ tokenizer, config }) => {
    const options = { maximumLength: config.context, sees: sightOf(config) };
    const read = async (split: "train" | "dev" | "test") =>
      (await loadExamples(tokenizer, TASKS[task], split, folder, options)).filter((one) =>
        one.prompt.length + Math.max(...one.candidates.map(({ length }) => length)) <= BRIEF
      );
    return { train: await read("train"), heldOut: await read(task === "sst2" ? "dev" : "test") };
  });
  return { model, format, open, objective: "classification", batchSize: 4, heldOut: 48 };
}

/** Short windows of stories, so that a run takes a minute. */
function stories(model: "stories260k" | "tinystories-656k", format: string): Case {
  const open = async (): Promise<Opened> => {
    const opened = await QUALITY_MODELS[model]();
    return { ...opened, train: cut(opened.train, 48), heldOut: cut(opened.heldOut, 48) };
  };
  return { model, format, open, objective: "language-modelling", batchSize: 8 };
}

/** Short windows of the text that these models were trained on. */
function reviews(model: string, format: string): Case {
  const open = opening(shared(model), async ({ tokenizer }) => {
    const { train, heldOut } = await windows(TEXTS.reviews, tokenizer!);
    return { train: cut(train, BRIEF), heldOut: cut(heldOut, BRIEF) };
  });
  return { model, format, open, objective: "language-modelling", batchSize: 4 };
}

/** Short windows of stories for models that were trained on reviews; a model that sees the whole text predicts masked tokens of them. */
function otherText(model: string, format: string): Case {
  const { file, documents } = TEXTS.whole;
  const open = opening(shared(model), async ({ tokenizer, config }) => {
    const text = await readDataFile(join(DATA, "tasks/text", file));
    const options = { length: BRIEF, sees: sightOf(config) };
    const all = languageModellingExamples(tokenizer!, documents(text), options);
    const count = Math.floor(0.75 * all.length);
    return { train: all.slice(0, count), heldOut: all.slice(count) };
  });
  return { model, format, open, objective: "language-modelling", batchSize: 4, heldOut: 48 };
}

/** The cases of the real models of reviews: each task with each model at 4 and at 2 bits. */
const BRIEF_CASES = Object.fromEntries(
  Object.entries({ "": "reviews-4m", "-opt": "reviews-opt-3m", "-roberta": "reviews-roberta-3m" })
    .flatMap(([suffix, model]) =>
      [4, 2].flatMap((bits): [string, Case][] => {
        const format = `int${bits}_g32`;
        return [
          [`brief-sst2${suffix} int${bits}`, brief("sst2", model, format)],
          [`brief-trec${suffix} int${bits}`, brief("trec", model, format)],
          [`brief-stories${suffix} int${bits}`, otherText(model, format)],
        ];
      })
    ),
);

/** By name. */
export const CASES: Readonly<Record<string, Case>> = {
  "bundled Q4_0": bundled("Q4_0"),
  "stories260k int4": stories("stories260k", "int4_g32"),
  "stories260k int2": stories("stories260k", "int2_g32"),
  "stories int4": stories("tinystories-656k", "int4_g32"),
  "sst2 int4": sst2("reviews-4m", "int4_g32"),
  "sst2 int2": sst2("reviews-4m", "int2_g32"),
  "sst2 OPT int4": sst2("reviews-opt-3m", "int4_g32"),
  "brief-text int4": reviews("reviews-4m", "int4_g32"),
  "stories int2": stories("tinystories-656k", "int2_g32"),
  ...BRIEF_CASES,
};
