/**
 * Chooses settings that a fine-tune needs and that were not given.
 *
 * @module
 */
import { basename, join } from "@std/path";
import { type LossPart, type ModelSource, scoredChat, type Tokenizer } from "../../models/mod.ts";
import { dataExtension } from "../../tasks/data/data_name.ts";
import { optimiserSection } from "../config/optimiser_schema.ts";
import type { TrainConfig } from "../config/schema.ts";
import { formOfConfig, heldOutOfTraining } from "../config/task.ts";
import { isQuantised } from "../../quant/layouts/layout.ts";
import { chatTemplateOf } from "./chat_layout.ts";
import { stepsPerEpoch } from "./epochs.ts";
import { recogniseTask } from "./recognise_task.ts";
import type { TaskExamples } from "./task_examples.ts";

/** A setting that was chosen. */
export interface Decision {
  /** Path of the key, such as `optimiser.name`. */
  readonly key: string;
  /** The chosen value. */
  readonly value: string;
  /** The reason, for people. */
  readonly why: string;
}

/** A configuration with the settings that were chosen. */
export interface DecidedRun {
  /** The complete configuration. */
  readonly config: TrainConfig;
  /** The chosen settings, in the order of the configuration's keys. */
  readonly decisions: readonly Decision[];
}

/** Options for choosing settings. */
export interface DecideOptions {
  /** Paths of the keys that were given and must not be changed. The name of a section stands for all keys in it. */
  readonly given: ReadonlySet<string>;
  /** Aborts reading. */
  readonly signal?: AbortSignal | undefined;
}

/** The default length of an example in tokens, if the model has enough positions. */
const LONGEST = 1024;
/** Default number of passes over the training examples, and the least and greatest number of steps that result. */
const PASSES = 3;
const STEPS = { least: 100, most: 1000 };
const EVALUATIONS = 10;

/** The format in which a model without quantised tensors is loaded. */
const FORMAT = "Q4_0";

/**
 * Chooses what can be chosen before the data are read: the task by the fields of its file, the format of a model that is not quantised, the chat
 * template of a model that has none, the length of an example, the optimiser (`qzoPlus`, which needs no learning rate) and a free output folder.
 *
 * @throws {RangeError} when a given folder does not contain the files of a built-in task.
 * @throws The errors of {@linkcode recogniseTask}.
 *
 * @example Only a model and a data file
 * ```ts
 * import { decideRun, parseTrainConfig } from "@qzo/qzo/train";
 * import { openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const file = await Deno.makeTempFile({ suffix: ".jsonl" });
 * await Deno.writeTextFile(file, '{"prompt": "A film that", "completion": " never ends."}\n');
 * using source = await openModelSource("demo/model.gguf");
 * const asked = parseTrainConfig(`model: demo/model.gguf\ndata: {train: ${file}}`, "a.yaml");
 * const { config, decisions } = await decideRun(asked, source, { given: new Set(["data.train"]) });
 * assertEquals([config.task.name, config.optimiser.name], ["completion", "qzoPlus"]);
 * assertEquals(decisions[0].key, "task.name");
 * ```
 */
export async function decideRun(
  asked: TrainConfig,
  source: Pick<ModelSource, "config" | "tensors" | "tokenizer">,
  { given, signal }: DecideOptions,
): Promise<DecidedRun> {
  const { config: recognised, why = "" } = await recogniseTask(asked, { signal });
  let config = recognised;
  const decisions: Decision[] = [];
  const decide = (key: string, value: string, reason: string, made: TrainConfig): void => {
    decisions.push({ key, value, why: reason });
    config = made;
  };
  if (config.task.name !== asked.task.name) {
    decide("task.name", String(config.task.name), why, config);
  } else if (asked.task.name === undefined && asked.task.template === undefined) {
    if (asked.data.train === undefined) {
      throw new RangeError(
        `Cannot tell what to learn from the folder "${asked.data.folder}": it does not contain the files of any built-in task. Give a file in it, or name the task with --task`,
      );
    }
    const text = dataExtension(asked.data.train ?? "") === ".txt" ? "the file is plain text" : why;
    const task = { ...config.task, name: "language-modelling" };
    decide("task.name", task.name, text, { ...config, task });
  }
  const bare = source.tokenizer !== undefined && source.tokenizer.chatTemplate === undefined;
  if (formOfConfig(config) === "chat" && bare && await chatTemplateOf(config) === undefined) {
    const task = { ...config.task, chatTemplate: "vicuna" };
    const reason = "the model has no chat template; this one needs no special tokens";
    decide("task.chat_template", "vicuna", reason, { ...config, task });
  }
  if (formOfConfig(config) === "chat" && !isGiven(given, "task.loss") && source.tokenizer) {
    const template = await chatTemplateOf(config);
    if (forgetsAnswers(source.tokenizer, template)) {
      const task = { ...config.task, loss: "last" as const };
      const reason = "the chat template renders earlier answers differently";
      decide("task.loss", "last", reason, { ...config, task });
    }
  }
  if (!isGiven(given, "optimiser")) {
    // Read again, because settings that were not given, such as the schedule, follow from the name.
    const place = { file: "what was decided", path: ["optimiser"] };
    const optimiser = optimiserSection.read({ name: "qzoPlus" }, place);
    decide("optimiser.name", "qzoPlus", "it needs no learning rate", { ...config, optimiser });
  }
  if (!isGiven(given, "max_length")) {
    const { context } = source.config;
    const maxLength = Math.min(LONGEST, context);
    const reason = context <= LONGEST ? "the model's positions" : "tokens of an example";
    decide("max_length", String(maxLength), reason, { ...config, maxLength });
  }
  const dense = [...source.tensors.values()].every(({ format }) => !isQuantised(format.layout));
  if (dense && !isGiven(given, "quantize") && !isGiven(given, "trainables")) {
    const reason = "no part of the model is quantised";
    decide("quantize.format", FORMAT, reason, { ...config, quantize: { format: FORMAT } });
  }
  if (!isGiven(given, "output")) {
    const output = await freeFolder(config);
    decide("output", output, "for what the run writes", { ...config, output });
  }
  return { config, decisions };
}

/**
 * Chooses what depends on the data: the number of steps and the interval of evaluations. It also reports what is held out.
 *
 * @param examples The result of {@linkcode taskExamples} for the configuration.
 *
 * @example Three passes over a thousand reviews
 * ```ts
 * import { openModelSource } from "@qzo/qzo/models";
 * import { decideSteps, parseTrainConfig, taskExamples } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const yaml = `
 * model: demo/model.gguf
 * task: {name: reviews, template: "{sentence} It was{label}", labels: {"0": " terrible", "1": " great"}}
 * data: {folder: demo, train: reviews_train.jsonl, validation: reviews_test.jsonl, validation_limit: 8}
 * `;
 * const asked = parseTrainConfig(yaml, "a.yaml");
 * using source = await openModelSource(asked.model);
 * const examples = await taskExamples(asked, source.tokenizer!);
 * const { config } = decideSteps(asked, examples, { given: new Set(["model", "task", "data"]) });
 * assertEquals([config.steps, config.evaluateEvery], [189, 19]);
 * ```
 */
export function decideSteps(
  asked: TrainConfig,
  examples: Pick<TaskExamples, "task" | "train" | "validation">,
  { given }: Pick<DecideOptions, "given">,
): DecidedRun {
  let config = asked;
  const decisions: Decision[] = [];
  const held = examples.validation.examples.length;
  const all = held + examples.train.examples.length;
  const { validation = heldOutOfTraining } = config.data;
  const hasOwnFile = examples.task?.files.dev !== undefined && config.task.protocol === undefined;
  if (
    !isGiven(given, "data.validation") && validation === heldOutOfTraining && !hasOwnFile
  ) {
    const reason = held === 0
      ? "nothing is held out, because there are fewer than 10 examples"
      : `${held} of ${all} examples are held out, chosen by seed 0`;
    decisions.push({ key: "data.validation", value: heldOutOfTraining, why: reason });
  }
  if (!isGiven(given, "steps") && !isGiven(given, "epochs")) {
    const passes = PASSES * stepsPerEpoch(config, examples);
    const steps = Math.min(STEPS.most, Math.max(STEPS.least, passes));
    const why = steps === passes
      ? `${PASSES} passes over the training examples in batches of ${config.batchSize}`
      : `${PASSES} passes would be ${passes}; ${steps > passes ? "at least" : "at most"} ${steps}`;
    decisions.push({ key: "steps", value: String(steps), why });
    config = { ...config, steps };
  }
  if (!isGiven(given, "evaluate_every") && held > 0 && config.epochs === undefined) {
    const evaluateEvery = Math.max(1, Math.ceil(config.steps / EVALUATIONS));
    const why = `${Math.ceil(config.steps / evaluateEvery)} evaluations`;
    decisions.push({ key: "evaluate_every", value: String(evaluateEvery), why });
    config = { ...config, evaluateEvery };
  }
  return { config, decisions };
}

/** Whether a template lets only the last answer's tokens be determined. */
function forgetsAnswers(tokenizer: Tokenizer, template: string | undefined): boolean {
  const messages = ["user", "assistant", "user", "assistant"].map((role, i) => ({
    role,
    content: `message ${i}`,
  }));
  const tells = (loss: LossPart): boolean => {
    try {
      return scoredChat(tokenizer, messages, { template, loss }).scored.length > 0;
    } catch {
      return false;
    }
  };
  return !tells("answers") && tells("last");
}

/** Whether a key, or a key within that section, was given. */
function isGiven(given: ReadonlySet<string>, key: string): boolean {
  return [...given].some((it) =>
    it === key || it.startsWith(`${key}.`) || key.startsWith(`${it}.`)
  );
}

/** `runs/` followed by the name of the data, with a number if that folder exists. */
async function freeFolder({ data }: TrainConfig): Promise<string> {
  const file = data.train ?? data.folder;
  const name = basename(file).replace(/\.[^.]*(?:\.gz)?$/i, "").replaceAll(
    /[^\p{L}\p{N}._-]+/gu,
    "-",
  ).replace(/^[.-]+/, "");
  for (let i = 1;; i++) {
    const path = join("runs", `${name || "run"}${i === 1 ? "" : `-${i}`}`);
    if (!await Deno.lstat(path).then(() => true, () => false)) return path;
  }
}
