/**
 * The configuration of a fine-tune: one YAML file, in which every key is declared with its type, range, default and description.
 *
 * @module
 */
import { type OptimiserConfig, optimiserSection } from "./optimiser_schema.ts";
import { type TrainableKind, trainableKinds } from "../selection.ts";
import type { OffsetSpan } from "../../optim/mod.ts";
import { type TextEncoding, textEncodings } from "../../tasks/data/text_encoding.ts";
import {
  choice,
  type ConfigKey,
  custom,
  type Field,
  keysOf,
  list,
  number,
  required,
  section,
  showValue,
  text,
} from "./field.ts";
import { type LayerWord, readFormatName, readLayers, readSpan, spans } from "./names.ts";
import {
  type AdapterSections,
  adapterSections,
  schemeField,
  type SchemeName,
  withScheme,
} from "./scheme_schema.ts";
import { type GroupsConfig, groupsSection } from "./group_schema.ts";
import type { Checkpoints } from "../steps/record_step.ts";
import { type PathOptions, withPathsFrom } from "./paths.ts";
import { parseYaml } from "./parse_yaml.ts";
import { withSections } from "./short_sections.ts";
import { type TaskConfig, taskSection } from "./task_schema.ts";

export type { ConfigKey } from "./field.ts";
export type { LayerWord } from "./names.ts";
export type { PathOptions } from "./paths.ts";
export type { TaskConfig } from "./task_schema.ts";
export { parameterKeys, PartOptions } from "./optimiser_schema.ts";
export type {
  AdapterSections,
  BaseSchemeName,
  MixedSchemeName,
  SchemeName,
} from "./scheme_schema.ts";
export type { GroupConfig, GroupsConfig } from "./group_schema.ts";
export type { OptimiserConfig, ScheduleConfig } from "./optimiser_schema.ts";

/** The files of examples, and how many examples to use of each. Paths are absolute or relative to the folder. */
export interface DataConfig {
  /** Folder of the files. */
  readonly folder: string;
  /** Encoding of the files' text. Undefined: as their byte order mark says, or UTF-8 without one. */
  readonly encoding?: TextEncoding;
  /** Training examples. Undefined: the file of the built-in task. */
  readonly train?: string;
  /** Examples evaluated during training. `split` holds out a tenth of the training examples, even if the task has a validation file. */
  readonly validation?: string;
  /** Examples evaluated at the end. */
  readonly test?: string;
  /** The most training examples. Undefined for all. */
  readonly trainLimit?: number;
  /** The most validation examples. Undefined for all. */
  readonly validationLimit?: number;
  /** The most test examples. Undefined for all. */
  readonly testLimit?: number;
}

/** Which parameters are trained, and how finely. Corresponds to a {@linkcode Selection}. */
export interface TrainablesConfig {
  /** Patterns of names to train. Undefined for all. */
  readonly include?: readonly string[];
  /** Patterns of names to exclude. Undefined: embedding and head. */
  readonly exclude?: readonly string[];
  /** First and last layer, or a word for a layer that is determined when the run starts. Undefined for all. */
  readonly layers?: readonly [number, number] | LayerWord;
  /** Kinds of parameters to train. */
  readonly kinds: readonly TrainableKind[];
  /** Number of columns that share an offset. Undefined: the optimiser's preference. */
  readonly span?: OffsetSpan | number;
  /** Whether the ledger alone is sufficient. If not, trained changes that no file could store are rejected. */
  readonly ledgerOnly?: boolean;
}

/** The device and its limits. */
export interface DeviceConfig {
  /** `high-performance`, `low-power`, or a part of the adapter's name. Undefined: the system's choice. */
  readonly adapter?: string;
  /** MiB of activations above which a step's branches are evaluated in several passes, and exact gradients recompute blocks. */
  readonly activations: number;
  /**
   * What exact gradients store from the forward pass: a number of blocks, or a word. Undefined: everything if it fits `activations`, otherwise
   * the input of each block.
   */
  readonly checkpoints?: Checkpoints;
  /** Milliseconds that a submission may take; see {@linkcode PacingLimits}. */
  readonly submission?: number;
}

/** How to quantise a model that is not quantised yet. */
export interface QuantizeConfig {
  /** Name of the format, such as `int4_g128`. Undefined: keep the weights as they are. */
  readonly format?: string;
}

/** A fine-tune, as read from a file. */
export interface TrainConfig extends AdapterSections {
  /** GGUF file or Hugging Face folder. */
  readonly model: string;
  /** The task to learn. */
  readonly task: TaskConfig;
  /** Files of examples. */
  readonly data: DataConfig;
  /** Optimiser and its options. */
  readonly optimiser: OptimiserConfig;
  /** The tuning scheme, a word from which unspecified settings of `trainables` follow. */
  readonly scheme: SchemeName;
  /** Folder of an adapter of that scheme to start from. Undefined: a new adapter. */
  readonly adapter?: string;
  /** The parameters to train. */
  readonly trainables: TrainablesConfig;
  /** Settings for individual kinds of parameters. */
  readonly groups: GroupsConfig;
  /** Examples per step. */
  readonly batchSize: number;
  /** Number of steps. Not used if `epochs` is set. */
  readonly steps: number;
  /** Passes over the training examples, instead of `steps`. The number of steps is known once the data have been read; see {@linkcode withSteps}. */
  readonly epochs?: number;
  /** Seed of all random choices. */
  readonly seed: number;
  /** The most tokens per example. Longer examples are truncated. */
  readonly maxLength: number;
  /** Steps between two evaluations. 0 for none. */
  readonly evaluateEvery: number;
  /** The most examples per evaluation during training. Undefined for all. */
  readonly evaluateLimit?: number;
  /** Number of evaluations without a lower held-out loss after which the run stops. Undefined: the run makes all its steps. */
  readonly patience?: number;
  /** Additional log format besides `metrics.jsonl`. */
  readonly log?: "tensorboard";
  /** Folder for the ledger, the curve and the tuned model. */
  readonly output: string;
  /** The device and its limits. */
  readonly device: DeviceConfig;
  /** How to quantise the model first. */
  readonly quantize: QuantizeConfig;
}

const count = { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true };
const countOrNone = { ...count, min: 0 };

const schema: Field<TrainConfig> = section<TrainConfig>("A fine-tune", {
  model: required(text("GGUF file or Hugging Face folder")),
  task: taskSection,
  data: section<DataConfig>("Files of examples", {
    folder: text(
      "folder that contains the files; by default that of the configuration file, if there is one; absolute file paths are used as they are",
      ".",
    ),
    encoding: choice(
      "encoding of the files; if not given, taken from the byte order mark, or utf-8 without one",
      textEncodings,
    ),
    train: text("file to train on; built-in tasks have a default"),
    validation: text(
      "file to evaluate on while training; `split` holds out a tenth of the training examples, as does a task without such a file",
    ),
    test: text("file to evaluate on at the end"),
    trainLimit: number("maximum number of training examples", count),
    validationLimit: number("maximum number of validation examples", count),
    testLimit: number("maximum number of test examples", count),
  }),
  optimiser: optimiserSection,
  scheme: schemeField,
  adapter: text(
    "an adapter to start from: a folder written by PEFT, or a .gguf file; a new one if not given",
  ),
  ...adapterSections,
  trainables: section<TrainablesConfig>("Which parameters are trained", {
    include: list("name patterns to train, * matches anything; all if not given", text("")),
    exclude: list("name patterns not to train; the embedding and the head if not given", text("")),
    layers: custom(
      "layers to train, counted from 0, or the layer found to be dominant or sensitive; all if not given",
      "layers, 0-7 or 3, dominant or sensitive",
      readLayers,
    ),
    kinds: list("kinds of parameters to train", choice("", trainableKinds), ["scales"]),
    span: custom(
      "columns that share an offset; chosen by the optimiser if not given",
      spans,
      readSpan,
    ),
    ledgerOnly: custom(
      "also train values that cannot be exported, such as the scales of MXFP4",
      "true or false",
      (value) => typeof value === "boolean" ? value : undefined,
    ),
  }),
  groups: groupsSection,
  batchSize: number("examples per step", { ...count, max: 65536 }, 16),
  steps: number("number of steps in the run", countOrNone, 1000),
  epochs: number("passes over the training examples, instead of steps", {
    min: 0,
    max: 1e6,
    above: true,
  }),
  seed: number("seed for everything random", countOrNone, 0),
  maxLength: number("maximum number of tokens per example; longer ones are cut", {
    ...count,
    min: 2,
  }, 256),
  evaluateEvery: number("steps between evaluations; 0 means none", countOrNone, 100),
  evaluateLimit: number("maximum number of examples per evaluation while training", count),
  log: choice("what to write besides metrics.jsonl: event files in the run folder", [
    "tensorboard",
  ]),
  patience: number("stop after this many evaluations without a lower held-out loss", count),
  output: text("folder for the ledger, the curve and the tuned model", "runs/latest"),
  device: section<DeviceConfig>("Where to run", {
    adapter: text("high-performance, low-power, or a part of the adapter's name"),
    activations: number(
      "MiB of activations above which a step's branches are evaluated in several passes, and exact gradients recompute blocks",
      { ...count, max: 1 << 20 },
      1024,
    ),
    checkpoints: {
      ...custom<Checkpoints>(
        "what exact gradients keep of the forward pass: all, the input of each block, or of every so many blocks",
        "all, block or a whole number from 1",
        (value) =>
          value === "all" || value === "block" || Number.isSafeInteger(value) && Number(value) >= 1
            ? value as Checkpoints
            : undefined,
        ["all", "block"],
      ),
      shownDefault: "all if it fits device.activations, else block",
    },
    submission: number(
      "milliseconds of work submitted to the device at once; longer work is split [80 on macOS, 250 elsewhere]",
      { min: 1, max: 60_000 },
    ),
  }),
  quantize: section<QuantizeConfig>("How to quantise first", {
    format: custom(
      "format name, for example int4_g128 (all: qzo quantize --formats)",
      "the name of a format",
      readFormatName,
    ),
  }),
});

/**
 * Reads a configuration in YAML (its core schema, without merge keys and dates). Keys are those of {@linkcode TrainConfig} in snake_case.
 * Missing keys have their defaults.
 *
 * @param name Name of the file, for messages.
 * @param options Base of relative paths.
 * @throws {SyntaxError} when the text is not YAML, is nested too deeply, or is longer than 1,000,000 characters.
 * @throws {TypeError} for a value of an unexpected kind, or a missing required key.
 * @throws {RangeError} for a value out of range, or an unknown key (suggesting the closest known one).
 *
 * @example Defaults and a mistake
 * ```ts
 * import { parseTrainConfig } from "@qzo/qzo/train";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const config = parseTrainConfig("model: a.gguf\ntask: sst2\noptimiser: {clip: 5}", "a.yaml");
 * assertEquals(config.task.name, "sst2");
 * assertEquals(config.optimiser.clip, 5);
 * assertEquals(config.batchSize, 16);
 * assertThrows(
 *   () => parseTrainConfig("model: a.gguf\noptimiser: {lerning_rate: 1}", "a.yaml"),
 *   RangeError,
 *   'Unknown key "optimiser.lerning_rate" in a.yaml: did you mean "learning_rate"?',
 * );
 * ```
 */
export function parseTrainConfig(
  yaml: string,
  name: string,
  { folder }: PathOptions = {},
): TrainConfig {
  const value = parseYaml(yaml, name);
  const isSection = typeof value === "object" && value !== null && !Array.isArray(value);
  return readTrainConfig(
    folder !== undefined && isSection ? withPathsFrom(withSections({ ...value }), folder) : value,
    name,
  );
}

/**
 * As {@linkcode parseTrainConfig}, for a value that has already been parsed, such as one made from command-line flags.
 *
 * @param name Origin of the value, for messages.
 * @param sources Origins of individual keys, by paths such as `optimiser.clip`, if they differ.
 * @throws {TypeError} for a value of an unexpected kind, or a missing required key.
 * @throws {RangeError} for a value out of range, or an unknown key (suggesting the closest known one).
 */
export function readTrainConfig(
  value: unknown,
  name: string,
  sources?: ReadonlyMap<string, string>,
): TrainConfig {
  const place = { file: name, path: [], sources };
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`Cannot use ${name} as a configuration: expected keys such as "model"`);
  }
  const { [RESOLVED]: _, ...own } = withSections(value as Record<string, unknown>);
  const config = withScheme(schema.read(own, place), own, place);
  const { steps, epochs } = value as Record<string, unknown>;
  if (steps !== undefined && epochs !== undefined) {
    throw new RangeError(
      `Cannot use both steps ${showValue(steps)} and epochs ${showValue(epochs)} in ${
        sources?.get("epochs") ?? name
      }: leave out one`,
    );
  }
  if (config.patience !== undefined && config.evaluateEvery === 0) {
    throw new RangeError(
      `Cannot use patience ${config.patience} in ${name}: evaluate_every is 0, so there are no evaluations to decide when to stop`,
    );
  }
  return config;
}

/** The key under which the configuration in a run's folder lists the settings that were used. It follows from the other keys, so it is not read. */
export const RESOLVED = "resolved";

/**
 * Every key with its description, in the order of the file.
 *
 * @example The keys of the optimiser
 * ```ts
 * import { trainConfigKeys } from "@qzo/qzo/train";
 * import { assert } from "@std/assert";
 *
 * assert(trainConfigKeys().some(({ path }) => path === "optimiser.learning_rate"));
 * ```
 */
export function trainConfigKeys(): readonly ConfigKey[] {
  return keysOf(schema);
}

/**
 * The schema as a table for `--help`: key, description, accepted values, default.
 *
 * @example A line of the table
 * ```ts
 * import { describeConfig } from "@qzo/qzo/train";
 * import { assertStringIncludes } from "@std/assert";
 *
 * assertStringIncludes(describeConfig(), "GGUF file or Hugging Face folder");
 * ```
 */
export function describeConfig(): string {
  const keys = trainConfigKeys();
  const width = Math.max(...keys.map(({ path }) => path.length));
  return keys.map(({ path, doc, expects, shownDefault }) => {
    const fallback = shownDefault === undefined ? "" : ` [${shownDefault}]`;
    return `${path.padEnd(width)}  ${doc}${fallback}\n${" ".repeat(width)}  ${expects}`;
  }).join("\n");
}
