/**
 * The examples of a configuration, in tokens.
 *
 * @module
 */
import { join } from "@std/path";
import type { Example, Objective } from "../models/batch.ts";
import type { Tokenizer } from "../models/tokenizer.ts";
import {
  type ExampleFormat,
  languageModellingExamples,
  loadTask,
  readDataFile,
  readExamples,
  type ReadExamplesOptions,
  type Split,
  splitExamples,
  subsample,
  type Task,
  tokeniseExample,
} from "../tasks/mod.ts";
import type { TrainConfig } from "./config_schema.ts";
import { formatOfConfig, taskOfConfig } from "./config_task.ts";

/** Examples of one split. */
export interface ExampleSet {
  /** In tokens. */
  readonly examples: readonly Example[];
  /** Characters of text that language modelling predicts; undefined for classification. */
  readonly characters?: number;
}

/** What a fine-tune learns from and is judged by. */
export interface TaskExamples {
  /** How a loss is made of them. */
  readonly objective: Objective;
  /** What is trained on. */
  readonly train: ExampleSet;
  /** Held out: of its own file, or a tenth of the training examples where there is none. */
  readonly validation: ExampleSet;
  /** Only when `data.test` names a file, or the task has one. */
  readonly test?: ExampleSet;
  /** What a user should know of how they were made, a sentence each: what was cut, dropped or is there twice. */
  readonly notes?: readonly string[];
}

/** How to cut examples. */
export interface TaskExamplesOptions {
  /** The model's longest sequence; `maxLength` of the configuration holds if it is shorter. */
  readonly maxPositions?: number;
}

const MOST_HELD_OUT = 500;

/**
 * Reads and tokenises what a configuration trains and evaluates on.
 *
 * Language modelling: a `.txt` file without `task.format` is one stream, cut into windows of `maxLength` tokens; of other
 * files each row's `text` is a document that begins a window, and what is beyond the window is left out.
 *
 * Limits take a seeded sample: of the training
 * examples by the run's seed, of the others by seed 0, so that runs of different seeds are judged alike.
 *
 * @throws {RangeError} When a language-modelling configuration names no file, or a split is empty
 * @throws What reading and tokenising throw
 */
export async function taskExamples(
  config: TrainConfig,
  tokenizer: Tokenizer,
  { maxPositions = Infinity }: TaskExamplesOptions = {},
): Promise<TaskExamples> {
  const length = Math.min(config.maxLength, maxPositions);
  const task = taskOfConfig(config);
  const read = task
    ? (split: Split) => classification(config, task, tokenizer, split, length)
    : (split: Split) => text(config, tokenizer, split, length);
  const has = (split: Split) => (task ? task.files[split] : fileOf(config, split)) !== undefined;
  const { trainLimit, validationLimit, testLimit } = config.data;

  let train = await read("train");
  let validation: ExampleSet;
  if (has("dev")) {
    validation = limited(await read("dev"), validationLimit, 0);
  } else {
    const count = Math.min(
      validationLimit ?? MOST_HELD_OUT,
      Math.floor(train.examples.length / 10),
    );
    const rest = train.examples.length - count;
    const parts = splitExamples(train.examples, { train: rest, dev: count, seed: 0 });
    validation = part(train, parts.dev);
    train = part(train, parts.train);
  }
  train = limited(train, trainLimit, config.seed);
  if (train.examples.length === 0) {
    throw new RangeError(`Cannot train on ${describeTask(config)}: it has no examples`);
  }
  const test = has("test") ? limited(await read("test"), testLimit, 0) : undefined;
  return {
    objective: task ? "classification" : "language-modelling",
    train,
    validation,
    ...(test ? { test } : {}),
  };
}

/** A task in words: its name, or what is done with which file. */
export function describeTask({ task, data }: TrainConfig): string {
  return task.name ?? (task.template ? "the task" : `the text of ${data.train ?? data.folder}`);
}

async function classification(
  { data }: TrainConfig,
  task: Task,
  tokenizer: Tokenizer,
  split: Split,
  maximumLength: number,
): Promise<ExampleSet> {
  const rendered = await loadTask(task, split, data.folder);
  return { examples: rendered.map((it) => tokeniseExample(tokenizer, it, { maximumLength })) };
}

function fileOf({ data }: TrainConfig, split: Split): string | undefined {
  return { train: data.train, dev: data.validation, test: data.test }[split];
}

async function text(
  config: TrainConfig,
  tokenizer: Tokenizer,
  split: Split,
  length: number,
): Promise<ExampleSet> {
  const file = fileOf(config, split);
  if (file === undefined) {
    throw new RangeError(
      `Cannot read a text: data.${split === "dev" ? "validation" : split} names no file`,
    );
  }
  const body = await readDataFile(join(config.data.folder, file));
  const isProse = config.task.format === undefined && /\.txt$/i.test(file);
  const { columns } = config.task;
  const documents = isProse ? [body] : textsOf(body, formatOfConfig(config), {
    name: file,
    ...(columns ? { columns } : {}),
  });
  const windows = isProse ? "stream" : "document";
  const examples = languageModellingExamples(tokenizer, documents, { length, windows });
  return { examples, characters: charactersOf(tokenizer, examples) };
}

/** The documents of a file that holds several. @throws {TypeError} When one has no text */
export function textsOf(
  body: string,
  format: ExampleFormat,
  options: ReadExamplesOptions,
): string[] {
  return readExamples(body, format, options).map(({ text }) => {
    if (typeof text === "string") return text;
    throw new TypeError(`Cannot read a text: an example of "${options.name}" has no field "text"`);
  });
}

/** Characters that the predicted tokens spell: all but the first token of each window. */
function charactersOf(tokenizer: Tokenizer, examples: readonly Example[]): number {
  return examples.reduce((sum, { candidates: [ids] }) => {
    const whole = tokenizer.decode(ids).length;
    return sum + whole - tokenizer.decode(ids.slice(0, 1)).length;
  }, 0);
}

function limited(set: ExampleSet, limit: number | undefined, seed: number): ExampleSet {
  if (limit === undefined || limit >= set.examples.length) return set;
  return part(set, subsample(set.examples, limit, seed));
}

/** Some examples of a set, with their share of its characters. */
function part(set: ExampleSet, examples: readonly Example[]): ExampleSet {
  if (set.characters === undefined) return { examples };
  const share = predicted(examples) / Math.max(1, predicted(set.examples));
  return { examples, characters: set.characters * share };
}

/** Tokens that language modelling predicts in `examples`. */
export function predicted(examples: readonly Example[]): number {
  return examples.reduce((sum, { candidates: [ids] }) => sum + ids.length - 1, 0);
}
