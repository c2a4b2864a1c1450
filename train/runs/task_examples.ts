/**
 * The examples of a configuration, in tokens.
 *
 * @module
 */
import type { Sight } from "../../models/architecture.ts";
import { type Example, exampleCost, type Objective } from "../../models/batch.ts";
import type { Tokenizer } from "../../models/tokenizers/tokenizer.ts";
import { Pause } from "../../tasks/pause.ts";
import { splitExamples, subsample } from "../../tasks/split.ts";
import type { Reference } from "../../tasks/reference.ts";
import { type Split, type Task, taskFor } from "../../tasks/task.ts";
import type { TrainConfig } from "../config/schema.ts";
import { taskOfConfig } from "../config/task.ts";
import type { Shots } from "../../tasks/demonstrations.ts";
import { chatLayout } from "./chat_layout.ts";
import { recogniseTask } from "./recognise_task.ts";
import { oneAnswerNote, sharedNote } from "./data_notes.ts";
import { Demonstrations } from "./demonstrations.ts";
import { ExampleFile, type ExamplesProgress, fileOfSplit } from "./example_file.ts";

export type { ExamplesProgress } from "./example_file.ts";

/** Examples of one split. */
export interface ExampleSet {
  /** In tokens. */
  readonly examples: readonly Example[];
  /** Characters of the text that is predicted; undefined for classification and masked tokens. */
  readonly characters?: number;
  /** What metrics compare with, by example; absent where labels say it all. */
  readonly references?: readonly (Reference | undefined)[];
}

/** What a fine-tune learns from and is judged by. */
export interface TaskExamples {
  /** How the loss of training is made of them. */
  readonly objective: Objective;
  /** How the loss of held-out examples is made; absent where it is as in training. */
  readonly judged?: Objective;
  /** What is learned; undefined where it is the text. */
  readonly task?: Task;
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
  /** What the model sees of a text: for `"all"`, examples have masked tokens. Default `"earlier"`. */
  readonly sees?: Sight | undefined;
  /** The splits that are wanted: what the others alone need is not read, and they stay empty. Default all. */
  readonly splits?: readonly ("train" | "validation" | "test")[] | undefined;
  /** Whether training examples, too, are made as held-out ones are: for a look at them. Default false. */
  readonly judging?: boolean | undefined;
  /** Training examples that are shown before each, in the model's context: `maxLength` does not hold then. Default: none. */
  readonly shots?: Shots | undefined;
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
 * For a model that sees all of a text, 15 % of a window's tokens are masked, the same whatever the run's seed; conversations and the like are refused.
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
  options: TaskExamplesOptions = {},
): Promise<TaskExamples> {
  const { maxPositions = Infinity, sees = "earlier", splits = SPLITS, shots, signal } = options;
  const { onProgress } = options;
  const { config, why } = await recogniseTask(asked, { signal });
  const configured = taskOfConfig(config);
  const task = configured && taskFor(configured, sees);
  const layout = await chatLayout(config, tokenizer);
  if (layout !== undefined && sees === "all") {
    throw new RangeError(
      `Cannot learn the answers of ${
        describeTask(config)
      }: the model predicts masked tokens, but only models that predict the next token can write answers; use plain text, or a task with labels`,
    );
  }
  const isShown = shots !== undefined && shots.count > 0;
  if (isShown && task === undefined) {
    throw new RangeError(
      `Cannot show demonstrations of ${
        describeTask(config)
      }: only a task has examples with answers`,
    );
  }
  const byContext = isShown && maxPositions < Infinity || config.maxLength > maxPositions;
  const length = byContext ? maxPositions : config.maxLength;
  const reading = { config, task, layout, tokenizer, length, sees, signal, onProgress };
  const open = (split: Split): ExampleFile | undefined =>
    fileOfSplit(reading, split) === undefined ? undefined : new ExampleFile(reading, split);
  const { trainLimit, validationLimit, testLimit } = config.data;
  const notes: string[] = [];
  if (why !== undefined && config !== asked) notes.push(`task ${config.task.name}: ${why}`);
  if (layout) notes.push(`${describeTask(config)}: ${layout.note}`);
  const wants = (split: (typeof SPLITS)[number]): boolean => splits.includes(split);
  const protocol = protocolOf(config, task);
  const devFile = protocol ? undefined : open("dev");
  const testFile = open(protocol?.testSplit ?? "test");
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
    if (limit > count && (key !== "test_limit" || testLimit !== undefined)) {
      notes.push(`data.${key} ${limit} is more than the ${count} examples of "${file.name}"`);
    }
    return undefined;
  };
  /** What is shown before the examples that are judged: some of those that are trained on. */
  const shown = async (
    file: ExampleFile,
    of: readonly number[] | undefined,
  ): Promise<Demonstrations | undefined> => {
    if (!isShown) return undefined;
    const ascending = of?.toSorted((a, b) => a - b);
    const examples = await file.rendered(ascending);
    return new Demonstrations(file.name, examples, {
      shots,
      numbers: ascending ?? numbers(examples.length),
    });
  };

  let train: Example[] = [];
  let validation: Example[] = [];
  let demonstrations: Demonstrations | undefined;
  if (devFile) {
    const file = trainFile ?? (isShown ? new ExampleFile(reading, "train") : undefined);
    if (file) {
      const kept = await sample(file, trainLimit, config.seed, "train_limit");
      demonstrations = await shown(file, kept);
      if (wants("train")) train = found(await file.read(kept, demonstrations));
    }
    if (wants("validation")) {
      const some = await sample(devFile, validationLimit, 0, "validation_limit");
      validation = found(await devFile.read(some, demonstrations));
    }
  } else if (trainFile || isShown) {
    const file = trainFile ?? new ExampleFile(reading, "train");
    // Where all are wanted, one reading tells how many there are, too.
    const readsAll = wants("train") && wants("validation") && trainLimit === undefined &&
      !protocol && !isShown;
    const whole = readsAll ? await file.read() : undefined;
    const all = whole?.length ?? await file.count();
    const count = protocol
      ? heldOut(protocol, all, file.name)
      : Math.min(validationLimit ?? MOST_HELD_OUT, Math.floor(all / 10));
    const parts = splitExamples(numbers(all), { train: all - count, dev: count, seed: 0 });
    const kept = protocol
      ? parts.train.slice(0, protocol.train)
      : trainLimit === undefined || trainLimit >= parts.train.length
      ? parts.train
      : subsample(parts.train, trainLimit, config.seed);
    demonstrations = await shown(file, kept);
    const [wanted, held] = [wants("train") ? kept : [], wants("validation") ? parts.dev : []];
    if (trainFile) {
      const chosen = [...wanted, ...held];
      const read = whole
        ? chosen.map((index) => whole[index])
        : await file.read(chosen, demonstrations);
      train = found(read.slice(0, wanted.length));
      validation = found(read.slice(wanted.length));
    }
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
    ? found(
      await testFile.read(
        await sample(testFile, protocol?.test ?? testLimit, 0, "test_limit"),
        demonstrations,
      ),
    )
    : undefined;
  if (protocol) {
    const counts = [
      wants("train") && `${train.length} examples are trained on`,
      wants("validation") && `${validation.length} are held out of the training file`,
      test && `${test.length} of "${testFile?.name}" are the test`,
    ];
    notes.push(`task.protocol mezo: ${counts.filter((it) => it).join(", ")}`);
  }

  const limit = byContext ? `the model's ${length} positions` : `max_length ${length}`;
  for (const file of [trainFile, devFile, testFile]) {
    if (file) notes.push(...file.counts.notes(limit));
  }
  if (task && task.template.answer === undefined) {
    const answers = task.template.labels && Object.values(task.template.labels);
    for (const [set, what] of [[train, "training"], [validation, "validation"]] as const) {
      notes.push(...given(oneAnswerNote(set, what, answers?.[set[0]?.label])));
    }
  }
  notes.push(...given(sharedNote(train, validation, "validation")));
  if (test) notes.push(...given(sharedNote(train, test, "test")));

  const judged = task && task.template.answer === undefined
    ? "classification"
    : "language-modelling";
  const objective = options.judging
    ? judged
    : config.task.objective ?? (protocol && task?.published?.objective) ?? judged;
  if (task?.template.answer !== undefined && objective === "classification") {
    throw new RangeError(
      `Cannot train ${task.name} with task.objective classification: its answers are free text, so there are no candidates to choose from`,
    );
  }
  if (objective !== judged) train = train.map(rightAlone);
  const files = [trainFile, devFile, testFile];
  const set = async (examples: readonly Example[]): Promise<ExampleSet> => {
    if (!task && sees === "all") return { examples };
    if (!task) return { examples, characters: await charactersOf(tokenizer, examples, signal) };
    const references = examples.map((example) => referenceOf(files, example));
    return references.some((it) => it !== undefined) ? { examples, references } : { examples };
  };
  return {
    objective,
    ...(objective === judged ? {} : { judged }),
    ...(task ? { task } : {}),
    train: await set(train),
    validation: await set(validation),
    ...(test ? { test: await set(test) } : {}),
    ...(notes.length > 0 ? { notes: [...new Set(notes)] } : {}),
  };
}

/** How many examples a published protocol takes of which file. */
interface Protocol {
  readonly train: number;
  readonly held: number;
  readonly test: number;
  /** The split whose file is the test: the validation set, as those of the test have no labels. */
  readonly testSplit: Split;
}

/**
 * What MeZO, QZO and ZO-LLM do: 1,000 examples to train on and 500 (of some tasks 100) held out, all of the training file, and 1,000 of the validation
 * file as the test.
 */
function protocolOf(
  { task: { protocol, name }, data }: TrainConfig,
  task: Task | undefined,
): Protocol | undefined {
  if (protocol === undefined) return undefined;
  if (task === undefined) {
    throw new RangeError(
      `Cannot use task.protocol ${protocol} for ${
        name ?? "the text"
      }: it is for tasks whose examples have answers`,
    );
  }
  const { trainLimit = 1000, validationLimit, testLimit = 1000 } = data;
  return {
    train: trainLimit,
    held: validationLimit ?? task.published?.held ?? MOST_HELD_OUT,
    test: testLimit,
    testSplit: data.test === undefined && task.files.dev !== undefined ? "dev" : "test",
  };
}

/** Examples that are held out of a training file. @throws {RangeError} When it has no more */
function heldOut({ held }: Protocol, all: number, file: string): number {
  if (held < all) return held;
  throw new RangeError(
    `Cannot hold ${held} examples out of "${file}", as task.protocol requires: it has ${all}; hold out fewer with data.validation_limit`,
  );
}

/** How the held-out examples of a task are judged. */
export function judgedBy({ objective, judged = objective }: TaskExamples): Objective {
  return judged;
}

/** An example whose loss is that of its right candidate's tokens. */
function rightAlone({ candidates, label, right: _, leads, ...example }: Example): Example {
  return {
    ...example,
    candidates: [candidates[label]],
    ...(leads ? { leads: [leads[label]] } : {}),
    label: 0,
  };
}

function referenceOf(
  files: readonly (ExampleFile | undefined)[],
  example: Example,
): Reference | undefined {
  return files.map((file) => file?.references.get(example)).find((it) => it !== undefined);
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
