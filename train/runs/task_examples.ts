/**
 * The examples of a configuration, in tokens.
 *
 * @module
 */
import { type Example, exampleCost, type Objective } from "../../models/batch.ts";
import type { Tokenizer } from "../../models/tokenizers/tokenizer.ts";
import { Pause } from "../../tasks/pause.ts";
import { splitExamples, subsample } from "../../tasks/split.ts";
import type { Split } from "../../tasks/task.ts";
import type { TrainConfig } from "../config/schema.ts";
import { taskOfConfig } from "../config/task.ts";
import { chatLayout } from "./chat_layout.ts";
import { recogniseTask } from "./recognise_task.ts";
import { oneAnswerNote, sharedNote } from "./data_notes.ts";
import { ExampleFile, type ExamplesProgress, fileOfSplit } from "./example_file.ts";

export type { ExamplesProgress } from "./example_file.ts";

/** Examples of one split. */
export interface ExampleSet {
  /** In tokens. */
  readonly examples: readonly Example[];
  /** Characters of the text that is predicted; undefined for classification. */
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
  /** The splits that are wanted: what the others alone need is not read, and they stay empty. Default all. */
  readonly splits?: readonly ("train" | "validation" | "test")[] | undefined;
  /** Stops within a second. */
  readonly signal?: AbortSignal | undefined;
  /** Told about every 50 ms how far reading and tokenising are. */
  readonly onProgress?: ((progress: ExamplesProgress) => void) | undefined;
}

const MOST_HELD_OUT = 500;

const SPLITS = ["train", "validation", "test"] as const;

/**
 * Reads and tokenises what a configuration trains and evaluates on. Files are read as streams: with a limit only the examples that
 * are chosen are tokenised and kept.
 *
 * Language modelling: a `.txt` file without `task.format` is one stream, cut into windows of `maxLength` tokens; of other
 * files each row's `text` is a document that begins a window, and what is beyond the window is left out. Conversations, instructions and
 * completions, which their fields tell ({@linkcode recogniseTask}), are laid out as {@linkcode supervisedExample} does it.
 *
 * Limits take a seeded sample: of the training
 * examples by the run's seed, of the others by seed 0, so that runs of different seeds are judged alike.
 *
 * @throws {RangeError} When a language-modelling configuration names no file, a file has no examples, or a limit is for a file that is not named
 * @throws What reading and tokenising throw; the signal's reason
 */
export async function taskExamples(
  asked: TrainConfig,
  tokenizer: Tokenizer,
  { maxPositions = Infinity, splits = SPLITS, signal, onProgress }: TaskExamplesOptions = {},
): Promise<TaskExamples> {
  const { config, why } = await recogniseTask(asked, { signal });
  const length = Math.min(config.maxLength, maxPositions);
  const task = taskOfConfig(config);
  const layout = await chatLayout(config, tokenizer);
  const reading = { config, task, layout, tokenizer, length, signal, onProgress };
  const open = (split: Split): ExampleFile | undefined =>
    fileOfSplit(reading, split) === undefined ? undefined : new ExampleFile(reading, split);
  const { trainLimit, validationLimit, testLimit } = config.data;
  const notes: string[] = [];
  if (why !== undefined && config !== asked) notes.push(`task ${config.task.name}: ${why}`);
  if (layout) notes.push(`${describeTask(config)}: ${layout.note}`);
  const wants = (split: (typeof SPLITS)[number]): boolean => splits.includes(split);
  const devFile = open("dev");
  const testFile = open("test");
  // Where nothing is held out by a file of its own, it is a part of the training file.
  const trainFile = wants("train") || wants("validation") && !devFile
    ? new ExampleFile(reading, "train")
    : undefined;
  if (testFile === undefined && testLimit !== undefined) {
    throw new RangeError(`Cannot use data.test_limit ${testLimit}: data.test names no file`);
  }

  /** Which examples of a file a limit leaves: a seeded sample, or all in their order. */
  const sample = async (
    file: ExampleFile,
    limit: number | undefined,
    seed: number,
    key: string,
  ): Promise<number[] | undefined> => {
    if (limit === undefined) return undefined;
    const count = await file.count();
    if (limit < count) return subsample(numbers(count), limit, seed);
    if (limit > count) {
      notes.push(`data.${key} ${limit} is more than the ${count} examples of "${file.name}"`);
    }
    return undefined;
  };

  let train: Example[] = [];
  let validation: Example[] = [];
  if (devFile) {
    if (trainFile) {
      train = found(
        await trainFile.read(await sample(trainFile, trainLimit, config.seed, "train_limit")),
      );
    }
    if (wants("validation")) {
      validation = found(
        await devFile.read(await sample(devFile, validationLimit, 0, "validation_limit")),
      );
    }
  } else if (trainFile) {
    const all = await trainFile.count();
    const count = Math.min(validationLimit ?? MOST_HELD_OUT, Math.floor(all / 10));
    const parts = splitExamples(numbers(all), { train: all - count, dev: count, seed: 0 });
    const kept = !wants("train")
      ? []
      : trainLimit === undefined || trainLimit >= parts.train.length
      ? parts.train
      : subsample(parts.train, trainLimit, config.seed);
    const read = await trainFile.read([...kept, ...parts.dev]);
    train = found(read.slice(0, kept.length));
    validation = found(read.slice(kept.length));
  }
  if (trainFile && wants("train") && train.length === 0) {
    throw new RangeError(
      `Cannot train on ${describeTask(config)}: "${trainFile.name}" has no examples`,
    );
  }
  if (devFile && wants("validation") && validation.length === 0) {
    throw new RangeError(`Cannot evaluate on "${devFile.name}": it has no examples`);
  }
  const test = testFile && wants("test")
    ? found(await testFile.read(await sample(testFile, testLimit, 0, "test_limit")))
    : undefined;

  const limit = config.maxLength <= maxPositions
    ? `max_length ${length}`
    : `the model's ${length} positions`;
  for (const file of [trainFile, devFile, testFile]) {
    if (file) notes.push(...file.counts.notes(limit));
  }
  if (task) {
    const answers = task.template.labels && Object.values(task.template.labels);
    for (const [set, what] of [[train, "training"], [validation, "validation"]] as const) {
      notes.push(...given(oneAnswerNote(set, what, answers?.[set[0]?.label])));
    }
  }
  notes.push(...given(sharedNote(train, validation, "validation")));
  if (test) notes.push(...given(sharedNote(train, test, "test")));

  const set = async (examples: readonly Example[]): Promise<ExampleSet> =>
    task ? { examples } : { examples, characters: await charactersOf(tokenizer, examples, signal) };
  return {
    objective: task && task.template.answer === undefined ? "classification" : "language-modelling",
    train: await set(train),
    validation: await set(validation),
    ...(test ? { test: await set(test) } : {}),
    ...(notes.length > 0 ? { notes: [...new Set(notes)] } : {}),
  };
}

/** A task in words: its name, or what is done with which file. */
export function describeTask({ task, data }: TrainConfig): string {
  return task.name ?? (task.template ? "the task" : `the text of ${data.train ?? data.folder}`);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function found<T>(items: readonly (T | undefined)[]): T[] {
  return items.filter((item) => item !== undefined);
}

function given(sentence: string | undefined): string[] {
  return sentence === undefined ? [] : [sentence];
}

/** Characters that the predicted tokens spell: of each window all but the first token, of a conversation what the loss is of. */
async function charactersOf(
  tokenizer: Tokenizer,
  examples: readonly Example[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const pause = new Pause(signal);
  let sum = 0;
  for (const { prompt, candidates: [ids], scored } of examples) {
    if (scored) {
      for (const [first, end] of scored) sum += tokenizer.decode(ids.slice(first, end)).length;
    } else {
      const context = prompt.length > 0 ? 0 : tokenizer.decode(ids.slice(0, 1)).length;
      sum += tokenizer.decode(ids).length - context;
    }
    if (pause.due) await pause.rest();
  }
  return sum;
}

/** Tokens that are predicted in `examples` of one candidate each. */
export function predicted(examples: readonly Example[]): number {
  return examples.reduce((sum, example) => sum + exampleCost(example).lossRows, 0);
}
