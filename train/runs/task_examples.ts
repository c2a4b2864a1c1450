/**
 * Reads the examples of a configuration, in tokens.
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
  /** Examples in tokens. */
  readonly examples: readonly Example[];
  /** Number of characters in the predicted text. Undefined for classification and masked tokens. */
  readonly characters?: number;
  /** References for metrics, by example. Absent if labels are sufficient. */
  readonly references?: readonly (Reference | undefined)[];
}

/** The examples that a fine-tune trains on and is evaluated with. */
export interface TaskExamples {
  /** The training objective. */
  readonly objective: Objective;
  /** The objective for held-out examples. Absent if it is the training objective. */
  readonly judged?: Objective;
  /** The task. Undefined for language modelling. */
  readonly task?: Task;
  /** Training examples. */
  readonly train: ExampleSet;
  /** Held-out examples: from their own file, or a tenth of the training examples. */
  readonly validation: ExampleSet;
  /** Test examples. Only if `data.test` names a file, or the task has one. */
  readonly test?: ExampleSet;
  /** Information for the user about how they were made, one sentence each: what was truncated, dropped or duplicated. */
  readonly notes?: readonly string[];
}

/** Options for reading examples. */
export interface TaskExamplesOptions {
  /** The model's longest sequence in tokens. The smaller of this and `maxLength` of the configuration applies. */
  readonly maxPositions?: number;
  /** Which tokens the model attends to. With `"all"`, examples have masked tokens. Default `"earlier"`. */
  readonly sees?: Sight | undefined;
  /** The splits to read. The others stay empty, and files that only they need are not read. Default: all. */
  readonly splits?: readonly ("train" | "validation" | "test")[] | undefined;
  /** Whether training examples are also made in the form of held-out ones, for inspection. Default false. */
  readonly judging?: boolean | undefined;
  /** Training examples to show before each example, in the model's context. `maxLength` then does not apply. Default: none. */
  readonly shots?: Shots | undefined;
  /** Aborts within a second. */
  readonly signal?: AbortSignal | undefined;
  /** Called about every 50 ms with the progress of reading and tokenising. */
  readonly onProgress?: ((progress: ExamplesProgress) => void) | undefined;
}

const MOST_HELD_OUT = 500;

const SPLITS = ["train", "validation", "test"] as const;

/**
 * Reads and tokenises the examples that a configuration trains and evaluates on. Files are read as streams. With a limit, only the chosen
 * examples are tokenised and kept.
 *
 * Language modelling: a `.txt` file without `task.format` is one stream, divided into windows of `maxLength` tokens. In other files, each row's
 * `text` is a document at the start of a window, and the part beyond the window is dropped. Conversations, instructions and completions,
 * recognised by their fields ({@linkcode recogniseTask}), are laid out by {@linkcode supervisedExample}.
 *
 * For a model in which tokens attend to the whole text, 15 % of a window's tokens are masked, independently of the run's seed. Conversations and
 * the like are rejected for such models.
 *
 * Limits take a seeded sample: of the training examples by the run's seed, of the others by seed 0, so that runs with different seeds are
 * evaluated on the same examples.
 *
 * @throws {RangeError} when a language-modelling configuration names no file, a file has no examples, or a limit is given for a file that is not
 * named.
 * @throws Any error of reading and tokenising, and the signal's reason.
 *
 * @example The bundled reviews
 * ```ts
 * import { openModelSource } from "@qzo/qzo/models";
 * import { parseTrainConfig, taskExamples } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const config = parseTrainConfig(`model: demo/model.gguf
 * task: {name: reviews, template: "{sentence} It was{label}", labels: {"0": " terrible", "1": " great"}}
 * data: {folder: demo, train: reviews_train.jsonl, validation: reviews_test.jsonl}`, "a.yaml");
 * using source = await openModelSource(config.model);
 * const { train, validation } = await taskExamples(config, source.tokenizer!);
 * assertEquals([train.examples.length, validation.examples.length], [1000, 500]);
 * ```
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
  // Without a validation file, a part of the training file is held out.
  const trainFile = wants("train") || wants("validation") && !devFile
    ? new ExampleFile(reading, "train")
    : undefined;
  if (testFile === undefined && testLimit !== undefined) {
    throw new RangeError(`Cannot use data.test_limit ${testLimit}: data.test names no file`);
  }

  /** The indices of the examples that remain after a limit: a seeded sample, or all in order. */
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
  /** The examples to show before those that are evaluated, taken from the training examples. */
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
    // If all examples are wanted, reading them also counts them.
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

/** The numbers of examples that a published protocol takes from each file. */
interface Protocol {
  readonly train: number;
  readonly held: number;
  readonly test: number;
  /** The split whose file is the test set: the validation split, because test splits have no labels. */
  readonly testSplit: Split;
}

/**
 * The protocol of MeZO, QZO and ZO-LLM: 1,000 training examples and 500 (for some tasks 100) held-out ones, all from the training file, and
 * 1,000 from the validation file as the test set.
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

/**
 * The number of examples to hold out of a training file.
 *
 * @throws {RangeError} when the file has no more than that.
 */
function heldOut({ held }: Protocol, all: number, file: string): number {
  if (held < all) return held;
  throw new RangeError(
    `Cannot hold ${held} examples out of "${file}", as task.protocol requires: it has ${all}; hold out fewer with data.validation_limit`,
  );
}

/** The objective by which held-out examples are judged. */
export function judgedBy({ objective, judged = objective }: TaskExamples): Objective {
  return judged;
}

/** An example whose loss is that of the correct candidate's tokens. */
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

/** A description of a task: its name, or what is done with which file. */
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

/** Number of characters of the predicted tokens: all but the first token of each window; in conversations, the tokens that count in the loss. */
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

/** Number of predicted tokens in `examples` with one candidate each. */
export function predicted(examples: readonly Example[]): number {
  return examples.reduce((sum, example) => sum + exampleCost(example).lossRows, 0);
}
