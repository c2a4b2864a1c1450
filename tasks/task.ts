/**
 * A task: where its rows are, how they are read and how they become examples. Built-in tasks and a user's own are values of the same type.
 *
 * @module
 */
import type { Sight } from "../models/architecture.ts";
import type { Objective } from "../models/batch.ts";
import { assertDistinct } from "./distinct_texts.ts";
import { type ExampleFormat, exampleFormats } from "./data/example_format.ts";
import { asRow, type Row } from "./data/row.ts";
import { separatorOf } from "./data/separator.ts";
import { type PlacedRow, rowReader } from "./data/row_reader.ts";
import {
  blankField,
  type RenderedExample,
  renderExample,
  type TaskTemplate,
  templateFields,
} from "./template.ts";
import type { MetricName } from "./metrics/task_metrics.ts";
import type { Reference } from "./reference.ts";
import { type TextEncoding, textEncodings } from "./data/text_encoding.ts";

/** The parts of a data set. */
export type Split = "train" | "dev" | "test";

/** A task whose rows have a correct answer: a class, a choice, or a text. */
export interface Task {
  /** Name of the task. A slash is followed by the source of its prompts if there are several: `sst2/harness`. */
  readonly name: string;
  /** Files of its splits, absolute or relative to the task's folder. */
  readonly files: Readonly<Partial<Record<Split, string>>>;
  /** Format of its files. */
  readonly format: ExampleFormat;
  /** Names of a table's columns, if its first line does not contain them. */
  readonly columns?: readonly string[];
  /** Separator of a table's cells; see {@linkcode ReadExamplesOptions}. */
  readonly separator?: string;
  /** Encoding of files that are not UTF-8 and have no byte order mark. Without it, such files are rejected. */
  readonly encoding?: TextEncoding;
  /** Template that converts a row to an example. */
  readonly template: TaskTemplate;
  /** Template for models that predict masked tokens. Default: `template`, with the mask after its prompt. */
  readonly masked?: TaskTemplate;
  /** Converts a row of the file to rows for the template: with more fields, as several rows, or as none if it has no answer. */
  readonly prepare?: (row: Row) => readonly Row[];
  /** Returns what metrics compare with, given a row for the template. */
  readonly reference?: (row: Row) => Reference;
  /** Returns the indices of the correct candidates of such a row, if there can be several. */
  readonly right?: (row: Row) => readonly number[];
  /** The metrics to report, the main one first. Default: accuracy; for generated answers, F1 and exact match. */
  readonly metrics?: readonly MetricName[];
  /** Whether a candidate is chosen by the mean or the sum of its tokens' log-probabilities. Default "mean". */
  readonly score?: "mean" | "sum";
  /** Strings that end a generated answer. Default: a line feed. */
  readonly stop?: readonly string[];
  /** How published work used the task. */
  readonly published?: PublishedUse;
}

/** The most tokens of a generated answer, as in MeZO and QZO. */
export const WRITTEN_TOKENS = 50;

/** How MeZO and later papers use a task, if it differs from the default. */
export interface PublishedUse {
  /** The loss of training: the cross-entropy over the candidates, or the loss of the correct candidate's tokens. Default: classification. */
  readonly objective?: Objective;
  /** Number of examples held out of the training file. Default 500. */
  readonly held?: number;
}

/** The task as a model reads it: for a model that attends to the whole text, with the template for masked tokens if there is one. */
export function taskFor(task: Task, sees: Sight): Task {
  return sees === "all" && task.masked ? { ...task, template: task.masked } : task;
}

/**
 * The examples in a file's text.
 *
 * @param name Name of the file in errors. Default: the task's name.
 * @throws The errors of {@linkcode readExamples} and {@linkcode renderExample}, the latter with the row's line.
 *
 * @example Two sentences of SST-2
 * ```ts
 * import { builtInTask, readTask } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const [first] = readTask(builtInTask("sst2"), "1 a stirring film\n0 a bore\n");
 * assertEquals(first.prompt, "a stirring film It was");
 * assertEquals(first.candidates[first.label], " great");
 * ```
 */
export function readTask(task: Task, text: string, name: string = task.name): RenderedExample[] {
  const { columns, separator } = task;
  const reader = rowReader(task.format, {
    name,
    ...(columns ? { columns } : {}),
    ...(separator === undefined ? {} : { separator }),
  });
  if (reader === undefined) {
    throw new RangeError(`Cannot read ${name}: unknown format ${JSON.stringify(task.format)}`);
  }
  return [...reader.push(text), ...reader.end()].flatMap((row) =>
    renderRow(task, row, name).map(({ example }) => example)
  );
}

/** An example and its origin. */
export interface PlacedExample {
  /** The example as text. */
  readonly example: RenderedExample;
  /** Number of the line on which its row begins, from 1. */
  readonly line: number;
  /** The first field of the prompt that contains only white space, if there is one. */
  readonly blank?: string;
}

/**
 * The examples of a row.
 *
 * @param name Name of the file in errors.
 * @throws The errors of {@linkcode renderExample}, with the row's line.
 */
export function renderRow(task: Task, { row, line }: PlacedRow, name: string): PlacedExample[] {
  try {
    return (task.prepare?.(row) ?? [row]).map((prepared) => {
      const example = withReference(task, renderExample(task.template, prepared), prepared);
      const blank = blankField(task.template.prompt, prepared);
      return blank === undefined ? { example, line } : { example, line, blank };
    });
  } catch (error) {
    if (error instanceof Error) error.message += ` (line ${line} of ${name})`;
    throw error;
  }
}

/** Adds what the task's metrics need to an example. */
function withReference(task: Task, example: RenderedExample, row: Row): RenderedExample {
  const right = task.right?.(row);
  const reference = task.reference && { ...example.reference, ...task.reference(row) };
  if (right === undefined && reference === undefined) return example;
  return {
    ...example,
    ...(right === undefined ? {} : { right }),
    ...(reference === undefined ? {} : { reference }),
  };
}

const options = [
  "name",
  "file",
  "files",
  "format",
  "columns",
  "separator",
  "encoding",
  "template",
  "labels",
  "candidates",
  "answer",
  "labelField",
];

/**
 * Creates a task from a configuration, such as parsed YAML:
 *
 * ```yaml
 * name: mood
 * format: tsv
 * files: { train: mood.train.tsv, dev: mood.dev.tsv }   # or file: mood.tsv, for train
 * template: "{sentence} It was{label}"                  # "{label}" can be omitted, or come last; for masked models "{sentence} It was{mask}."
 * labels: { "0": " terrible", "1": " great" }           # or candidates: [" {choices}"], or answer: " {summary}\n"
 * labelField: label                                      # the default; output.label for a nested field
 * separator: ";"                                         # for tables; detected from the first line if not given
 * encoding: latin1                                       # for files that are not UTF-8 or UTF-16
 * ```
 *
 * @throws {TypeError} for a missing entry or a wrong type.
 * @throws {RangeError} for an unknown entry, format or encoding, for columns of files that are not tables, and for two labels with the same
 * words.
 *
 * @example A custom task
 * ```ts
 * import { readTask, taskFromConfig } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const task = taskFromConfig({
 *   name: "mood",
 *   format: "csv",
 *   file: "mood.csv",
 *   template: "{text} I feel{label}",
 *   labels: { good: " fine", bad: " ill" },
 * });
 * const [example] = readTask(task, "text,label\nSunshine.,good\n");
 * assertEquals(example, { prompt: "Sunshine. I feel", candidates: [" fine", " ill"], label: 0 });
 * ```
 */
export function taskFromConfig(config: unknown): Task {
  const what = "read a task's configuration";
  const entries = asRow(config, what);
  for (const name of Object.keys(entries)) {
    if (!options.includes(name)) {
      throw new RangeError(
        `Cannot ${what}: unknown entry ${JSON.stringify(name)}; expected one of ${
          options.join(", ")
        }`,
      );
    }
  }
  const name = text(entries, "name", "task");
  const format = text(entries, "format");
  const known = exampleFormats.find((candidate) => candidate === format);
  if (known === undefined) {
    throw new RangeError(
      `Cannot ${what}: unknown format ${JSON.stringify(format)}; expected one of ${
        exampleFormats.join(", ")
      }`,
    );
  }
  const columns = optionalTexts(entries, "columns");
  if (columns !== undefined && known !== "csv" && known !== "tsv") {
    throw new RangeError(
      `Cannot ${what}: columns only apply to csv and tsv, but the format is ${known}`,
    );
  }
  const separator = entries.separator === undefined
    ? undefined
    : separatorOf(text(entries, "separator"));
  if (separator !== undefined && known !== "csv" && known !== "tsv") {
    throw new RangeError(
      `Cannot ${what}: a separator only applies to csv and tsv, but the format is ${known}`,
    );
  }
  return {
    name,
    files: filesOf(entries),
    format: known,
    ...(columns === undefined ? {} : { columns }),
    ...(separator === undefined ? {} : { separator }),
    ...encodingOf(entries),
    template: templateOf(entries, name),
  };
}

function encodingOf({ encoding }: Row): { readonly encoding?: TextEncoding } {
  if (encoding === undefined) return {};
  const known = textEncodings.find((candidate) => candidate === encoding);
  if (known !== undefined) return { encoding: known };
  throw new RangeError(
    `Cannot read a task's configuration: unknown encoding ${
      JSON.stringify(encoding)
    }; expected one of ${textEncodings.join(", ")}`,
  );
}

function templateOf(entries: Row, name: string): TaskTemplate {
  const whole = text(entries, "template");
  // The answer, by the name of its field or as {label}.
  const answers = new Set(["label", text(entries, "labelField", "label")]);
  const last = /\{([^{}]*)\}$/.exec(whole);
  const prompt = last && answers.has(last[1].trim()) ? whole.slice(0, last.index) : whole;
  const early = templateFields(prompt).find((field) => answers.has(field));
  if (early !== undefined) {
    throw new RangeError(
      `Cannot read a task's configuration: {${early}} is not at the end of the template; only for a masked model can the answer come before other text, written as {mask}`,
    );
  }
  const candidates = optionalTexts(entries, "candidates");
  candidates?.forEach(templateFields);
  const answer = entries.answer === undefined ? undefined : text(entries, "answer");
  if (answer !== undefined) templateFields(answer);
  const labels = entries.labels === undefined ? undefined : labelsOf(entries.labels);
  if ([candidates, labels, answer].filter((way) => way !== undefined).length !== 1) {
    throw new TypeError(
      "Cannot read a task's configuration: it needs either labels or candidates, or an answer",
    );
  }
  return {
    name,
    prompt,
    ...(entries.labelField === undefined ? {} : { labelField: text(entries, "labelField") }),
    ...(labels === undefined ? {} : { labels }),
    ...(candidates === undefined ? {} : { candidates }),
    ...(answer === undefined ? {} : { answer }),
  };
}

function labelsOf(value: unknown): Record<string, string> {
  const labels = asRow(value, "read the labels of a task's configuration");
  const words = Object.keys(labels).map((label): [string, string] => [label, text(labels, label)]);
  assertDistinct(words, "labels", "read a task's configuration");
  return Object.fromEntries(words);
}

function filesOf(entries: Row): Partial<Record<Split, string>> {
  if (entries.files === undefined) return { train: text(entries, "file") };
  const files = asRow(entries.files, "read the files of a task's configuration");
  for (const split of Object.keys(files)) {
    if (split !== "train" && split !== "dev" && split !== "test") {
      throw new RangeError(
        `Cannot read a task's configuration: unknown split ${
          JSON.stringify(split)
        }; expected one of train, dev, test`,
      );
    }
  }
  return Object.fromEntries(Object.keys(files).map((split) => [split, text(files, split)]));
}

function text(entries: Row, name: string, fallback?: string): string {
  const value = Object.hasOwn(entries, name) ? entries[name] : fallback;
  if (typeof value !== "string") {
    throw new TypeError(
      `Cannot read a task's configuration: ${name} is ${
        value === undefined ? "missing" : typeof value
      }, expected a string`,
    );
  }
  return value;
}

function optionalTexts(entries: Row, name: string): string[] | undefined {
  const value = entries[name];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !Array.from(value).every((item) => typeof item === "string")) {
    throw new TypeError(`Cannot read a task's configuration: ${name} is not a list of strings`);
  }
  return value;
}
