/**
 * A task: where its rows are, how they read and what they become. Built-in tasks are such values, and so is a user's own.
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

/** Parts of a data set. */
export type Split = "train" | "dev" | "test";

/** A task whose rows have a right answer: a class, a choice, or a text. */
export interface Task {
  /** Names the task; behind a slash its prompts, where there are others: `sst2/harness`. */
  readonly name: string;
  /** Files of its splits: absolute, or relative to the task's folder. */
  readonly files: Readonly<Partial<Record<Split, string>>>;
  /** The form of its files. */
  readonly format: ExampleFormat;
  /** Names of a table's columns, if its first line does not give them. */
  readonly columns?: readonly string[];
  /** What stands between the cells of a table; see {@linkcode ReadExamplesOptions}. */
  readonly separator?: string;
  /** The encoding of files that are neither UTF-8 nor begin with a byte order mark; without one they are refused. */
  readonly encoding?: TextEncoding;
  /** What its rows become. */
  readonly template: TaskTemplate;
  /** What they become for a model that predicts masked tokens. Default: `template`, with the mask behind its prompt. */
  readonly masked?: TaskTemplate;
  /** Turns a row of the file into rows for the template: more fields, or several rows; none for a row that has no answer. */
  readonly prepare?: (row: Row) => readonly Row[];
  /** What metrics compare with, from a row for the template. */
  readonly reference?: (row: Row) => Reference;
  /** Which candidates of such a row are right, where it may be several. */
  readonly right?: (row: Row) => readonly number[];
  /** What is reported, the one that counts first. Default: accuracy, of written answers F1 and exact match. */
  readonly metrics?: readonly MetricName[];
  /** Whether a candidate is chosen by the mean or the sum of its tokens' log-probabilities. Default "mean". */
  readonly score?: "mean" | "sum";
  /** Texts that end a written answer, as a model writes them. Default: a line feed. */
  readonly stop?: readonly string[];
  /** How the papers used it. */
  readonly published?: PublishedUse;
}

/** Tokens that a written answer has at most, as in MeZO and QZO. */
export const WRITTEN_TOKENS = 50;

/** How MeZO and the papers after it use a task, where it is not as usual. */
export interface PublishedUse {
  /** What training lowers: the cross-entropy over the candidates, or the loss of the right one's tokens. Default: classification. */
  readonly objective?: Objective;
  /** Examples that are held out of the training file. Default 500. */
  readonly held?: number;
}

/** A task as a model reads it: one that sees all of a text has the template with a mask, where there is one. */
export function taskFor(task: Task, sees: Sight): Task {
  return sees === "all" && task.masked ? { ...task, template: task.masked } : task;
}

/**
 * The examples in a file's text.
 *
 * @param name names the file in errors; default: the task's name.
 * @throws what {@linkcode readExamples} and {@linkcode renderExample} throw; the latter with the row's line.
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

/** An example and where it comes from. */
export interface PlacedExample {
  /** As text. */
  readonly example: RenderedExample;
  /** The line its row begins on, counted from 1. */
  readonly line: number;
  /** The first field of the prompt that has no text but white space, if there is one. */
  readonly blank?: string;
}

/**
 * The examples of a row.
 *
 * @param name names the file in errors.
 * @throws what {@linkcode renderExample} throws, with the row's line.
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

/** What a task's metrics need to know of an example. */
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
 * A user's own task from a configuration, such as parsed YAML:
 *
 * ```yaml
 * name: mood
 * format: tsv
 * files: { train: mood.train.tsv, dev: mood.dev.tsv }   # or file: mood.tsv, as train
 * template: "{sentence} It was{label}"                  # "{label}" may be left out, or come last; for masked models "{sentence} It was{mask}."
 * labels: { "0": " terrible", "1": " great" }           # or candidates: [" {choices}"], or answer: " {summary}\n"
 * labelField: label                                      # the default; output.label for a field within another
 * separator: ";"                                         # of tables; told from the first line if not given
 * encoding: latin1                                       # of files that are not UTF-8 or UTF-16
 * ```
 *
 * @throws TypeError for a missing entry or wrong type; RangeError for an unknown entry, format or encoding, for columns of
 * files that are no tables, and for two labels with the same words.
 *
 * @example A task of one's own
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
  // The answer, by its own name or as {label}.
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
