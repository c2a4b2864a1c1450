/**
 * One file of a configuration's examples, in tokens. It is read as a stream, and only the requested examples are kept.
 *
 * @module
 */
import type { Sight } from "../../models/architecture.ts";
import type { Example } from "../../models/batch.ts";
import { startText, withoutStart } from "../../models/tokenizers/special_tokens.ts";
import type { Tokenizer } from "../../models/tokenizers/tokenizer.ts";
import { dataChunks } from "../../tasks/data/data_file.ts";
import { dataExtension } from "../../tasks/data/data_name.ts";
import { dataPath } from "../../tasks/data/data_path.ts";
import { dataRows, taskRows } from "../../tasks/files.ts";
import {
  assertWindow,
  documentTokens,
  documentWindow,
  seenWindow,
  WindowStream,
} from "../../tasks/language_modelling.ts";
import { encodeLong, encodeStream, isLong } from "../../tasks/long_text.ts";
import { Pause } from "../../tasks/pause.ts";
import { type Item, tokenisedItem } from "./example_item.ts";
import { type Row, rowText } from "../../tasks/data/row.ts";
import type { PlacedRow } from "../../tasks/data/row_reader.ts";
import type { Reference } from "../../tasks/reference.ts";
import type { RenderedExample } from "../../tasks/template.ts";
import type { PlacedExample, Split, Task } from "../../tasks/task.ts";
import { WRITTEN_TOKENS } from "../../tasks/task.ts";
import { exampleOfText } from "../../tasks/supervised/supervised_example.ts";
import { type SupervisedOptions, supervisedText } from "../../tasks/supervised/supervised_row.ts";
import { exampleOfTokens, textsOfExample } from "../../tasks/tokenise.ts";
import type { TrainConfig } from "../config/schema.ts";
import { formatOfSplit, formatOfTaskFile, heldOutOfTraining } from "../config/task.ts";
import { ExampleCounts } from "./data_notes.ts";
import type { Demonstrations } from "./demonstrations.ts";

/** Progress of reading and tokenising. */
export interface ExamplesProgress {
  /** The file being read. */
  readonly file: string;
  /** Number of examples so far. */
  readonly examples: number;
  /** Fraction of the file that has been read, from 0 to 1. */
  readonly share: number;
}

/** Options for reading files of examples. */
export interface ExampleReading {
  /** Configuration with the files and their form. */
  readonly config: TrainConfig;
  /** The task that converts rows to examples. Undefined for language modelling and fine-tuning data. */
  readonly task: Task | undefined;
  /** How rows of fine-tuning data are laid out. Undefined for other tasks. */
  readonly layout?: SupervisedOptions | undefined;
  /** The tokenizer. */
  readonly tokenizer: Tokenizer;
  /** The most tokens per example. */
  readonly length: number;
  /** Which tokens the model attends to. */
  readonly sees: Sight;
  /** Aborts reading. */
  readonly signal?: AbortSignal | undefined;
  /** Called about every 50 ms. */
  readonly onProgress?: ((progress: ExamplesProgress) => void) | undefined;
}

/** The file of a split: `data.train` and so on, or the task's own. Undefined if there is none. */
export function fileOfSplit(
  { config: { data }, task }: Pick<ExampleReading, "config" | "task">,
  split: Split,
): string | undefined {
  if (task !== undefined) return task.files[split];
  const dev = data.validation === heldOutOfTraining ? undefined : data.validation;
  return { train: data.train, dev, test: data.test }[split];
}

/** Special tokens are added once per example, not to each text. */
const bareText = { addSpecial: false } as const;

/** The examples of one split's file. */
export class ExampleFile {
  /** Name as given. */
  readonly name: string;
  /** Counts of what happened while its examples were made. */
  readonly counts: ExampleCounts;
  /** References for metrics, by examples that have been read. */
  readonly references: WeakMap<Example, Reference> = new WeakMap();
  readonly #reading: ExampleReading;
  readonly #split: Split;
  readonly #pause: Pause;
  /** The windows of a text stream, whose number is known only after tokenising. */
  #windows: readonly Example[] | undefined;
  /** The answers of the previous example, in tokens. */
  #answers: Example["candidates"] = [];
  #share = 0;
  #made = 0;
  #demonstrations: Demonstrations | undefined;

  /**
   * @throws {RangeError} when the configuration names no such file.
   */
  constructor(reading: ExampleReading, split: Split) {
    const name = fileOfSplit(reading, split);
    if (name === undefined) {
      throw new RangeError(
        `Cannot read a text: data.${split === "dev" ? "validation" : split} names no file`,
      );
    }
    this.name = name;
    this.#reading = reading;
    this.#split = split;
    this.#pause = new Pause(reading.signal);
    this.counts = new ExampleCounts(name, kindOf(reading));
    this.counts.supervised = reading.layout !== undefined;
    if (reading.task === undefined) assertWindow(reading.length);
  }

  /**
   * Number of examples, or of documents, before tokenising.
   *
   * @throws {RangeError} when there are none.
   */
  async count(): Promise<number> {
    if (this.#isStream) return (await this.#stream()).length;
    let count = 0;
    for await (const items of this.#items()) {
      for (const _ of items) {
        count++;
        if (this.#pause.due) await this.#rest(0);
      }
    }
    return this.#some(count);
  }

  /**
   * The examples with these indices, in the given order, or all. Undefined for a document that is too short to predict anything.
   *
   * @throws {RangeError} when there are none.
   */
  async read(
    wanted?: readonly number[],
    demonstrations?: Demonstrations,
  ): Promise<(Example | undefined)[]> {
    this.#demonstrations = demonstrations;
    this.counts.demonstrated = demonstrations !== undefined;
    if (this.#isStream) {
      const all = await this.#stream();
      return wanted ? wanted.map((index) => all[index]) : [...all];
    }
    const places = wanted && new Map(wanted.map((index, place) => [index, place]));
    const out = new Array<Example | undefined>(wanted?.length ?? 0);
    const last = wanted ? wanted.reduce((a, b) => Math.max(a, b), -1) : Infinity;
    let index = 0;
    reading: for await (const items of this.#items()) {
      for (const item of items) {
        if (index > last) break reading;
        const place = places ? places.get(index) : index;
        index++;
        if (place !== undefined) {
          const made = tokenisedItem(item, index - 1, this.name);
          out[place] = this.#seen(made instanceof Promise ? await made : made, index - 1);
          this.#made++;
        }
        if (this.#pause.due) await this.#rest(this.#made);
      }
    }
    if (wanted && index <= last) {
      throw new RangeError(`Cannot read "${this.name}": it became shorter while it was being read`);
    }
    this.#some(index);
    return out;
  }

  /** The examples with these indices as text, or all, in file order. */
  async rendered(wanted?: readonly number[]): Promise<RenderedExample[]> {
    const numbers = wanted && new Set(wanted);
    const out: RenderedExample[] = [];
    let index = 0;
    for await (const items of this.#items()) {
      for (const { example } of items) {
        if (example && (numbers?.has(index) ?? true)) out.push(example);
        index++;
        if (this.#pause.due) await this.#rest(0);
      }
    }
    return out;
  }

  async #rest(examples: number): Promise<void> {
    this.#reading.onProgress?.({ file: this.name, examples, share: this.#share });
    await this.#pause.rest();
  }

  #some(count: number): number {
    if (count > 0) return count;
    throw new RangeError(`Cannot learn from or evaluate on "${this.name}": it has no examples`);
  }

  /** Whether it is a `.txt` file whose format is not given. */
  get #isStream(): boolean {
    const { task, config } = this.#reading;
    return task === undefined && this.#reading.layout === undefined &&
      config.task.format === undefined && dataExtension(this.name) === ".txt";
  }

  get #path(): string {
    return dataPath(this.name, this.#reading.config.data.folder);
  }

  get #howToRead() {
    const { config, signal } = this.#reading;
    const onProgress = (done: number, total: number) => this.#share = total > 0 ? done / total : 1;
    return { encoding: config.data.encoding, hint: hintOf(config, this.name), signal, onProgress };
  }

  async #stream(): Promise<readonly Example[]> {
    if (this.#windows !== undefined) return this.#windows;
    const { tokenizer, length, sees } = this.#reading;
    const windows: Example[] = [];
    const stream = new WindowStream(tokenizer, { length, sees });
    let begun = false;
    const pieces = dataChunks(this.#path, this.#howToRead);
    for await (const ids of encodeStream(tokenizer, pieces, { pause: this.#pause })) {
      for (const window of begun ? stream.more(ids) : stream.document(ids)) windows.push(window);
      begun = true;
      this.#reading.onProgress?.({
        file: this.name,
        examples: windows.length,
        share: this.#share,
      });
    }
    windows.push(...stream.end());
    this.#windows = windows.flatMap((window, round) => this.#seen(window, round) ?? []);
    this.#some(this.#windows.length);
    return this.#windows;
  }

  /** An example as the model sees it. If the model attends to the whole text, tokens are masked, chosen by the example's index in the file. */
  #seen(example: Example | undefined, round: number): Example | undefined {
    const { task, tokenizer, sees } = this.#reading;
    if (task !== undefined || example === undefined) return example;
    const seen = seenWindow(tokenizer, example, { sees, round });
    if (seen === undefined) this.counts.dropped++;
    return seen;
  }

  async *#items(): AsyncGenerator<Iterable<Item>> {
    const { config, task } = this.#reading;
    if (task === undefined) {
      const format = formatOfSplit(config, this.name);
      const { columns, separator } = config.task;
      const options = { ...this.#howToRead, columns, separator, name: this.name };
      for await (const rows of dataRows(this.#path, format, options)) yield this.#documents(rows);
      return;
    }
    const format = config.task.template
      ? formatOfSplit(config, this.name)
      : formatOfTaskFile(config, task, this.name);
    const options = { ...this.#howToRead, format };
    const { folder } = config.data;
    for await (const examples of taskRows(task, this.#split, folder, options)) {
      yield this.#answered(examples);
    }
  }

  *#documents(rows: Iterable<PlacedRow>): Generator<Item> {
    const { layout } = this.#reading;
    for (const { row, line } of rows) {
      if (layout !== undefined) {
        yield { line, tokenised: () => this.#supervised(row, layout) };
        continue;
      }
      const text = rowText(row, line, this.name);
      yield { line, tokenised: () => this.#document(text) };
    }
  }

  *#answered(examples: Iterable<PlacedExample>): Generator<Item> {
    for (const placed of examples) {
      yield {
        line: placed.line,
        tokenised: (index) => this.#example(placed, index),
        example: placed.example,
      };
    }
  }

  #example({ example: alone, blank }: PlacedExample, index: number): Example | Promise<Example> {
    const { tokenizer, length, sees } = this.#reading;
    const example = this.#demonstrations?.before(alone, index, this.name) ?? alone;
    if (blank !== undefined) this.counts.blankField(blank);
    const written = this.#reading.task?.template.answer !== undefined;
    const room = written ? Math.min(WRITTEN_TOKENS, Math.floor(length / 2)) : 0;
    const made = (encoded: readonly (readonly number[])[]): Example => {
      const { example: one, tokens } = exampleOfTokens(tokenizer, encoded, example, {
        ...{ maximumLength: length, room, sees },
      });
      this.counts.measured(tokens, length);
      this.counts.answers(example.candidates, one.candidates);
      // Answers are the same for most examples of a task: then they share one list.
      if (!sameLists(one.candidates, this.#answers)) this.#answers = one.candidates;
      const shared = { ...one, candidates: this.#answers };
      if (example.reference) this.references.set(shared, example.reference);
      return shared;
    };
    const encoded = this.#encode(textsOfExample(example, tokenizer, { sees }));
    return encoded instanceof Promise ? encoded.then(made) : made(encoded);
  }

  /** Converts a row of fine-tuning data. */
  async #supervised(row: Row, layout: SupervisedOptions): Promise<Example | undefined> {
    const { tokenizer, length } = this.#reading;
    const text = supervisedText(tokenizer, row, layout);
    if (text.answeredFirst) this.counts.answeredFirst++;
    if (text.joined) this.counts.joined++;
    const { template } = layout;
    const steps = exampleOfText(tokenizer, text, { maximumLength: length, template });
    let step = steps.next();
    while (!step.done) step = steps.next(await this.#encodeBare(step.value));
    const { example, tokens } = step.value;
    this.counts.measured(tokens, length);
    if (example === undefined) this.counts.unanswered++;
    return example;
  }

  #document(text: string): Example | undefined | Promise<Example | undefined> {
    const made = ([ids]: readonly (readonly number[])[]): Example | undefined => {
      const { tokenizer, length, sees } = this.#reading;
      this.counts.measured(documentTokens(tokenizer, ids).length, length);
      const window = documentWindow(tokenizer, ids, { length, sees });
      if (window === undefined) this.counts.dropped++;
      return window;
    };
    const encoded = this.#encode([text]);
    return encoded instanceof Promise ? encoded.then(made) : made(encoded);
  }

  /** Tokenises texts, synchronously unless one of them is long, because awaiting each of many short ones costs more than tokenising it. */
  #encode(texts: readonly string[]): number[][] | Promise<number[][]> {
    const { tokenizer } = this.#reading;
    const bare = texts.map((text) => {
      const rest = withoutStart(tokenizer, text);
      if (rest !== text) this.counts.bringsStart = startText(tokenizer);
      return rest;
    });
    return bare.some(isLong)
      ? this.#encodeLong(bare)
      : bare.map((text) => tokenizer.encode(text, bareText));
  }

  async #encodeLong(texts: readonly string[]): Promise<number[][]> {
    const onProgress = () =>
      this.#reading.onProgress?.({ file: this.name, examples: this.#made, share: this.#share });
    const { tokenizer } = this.#reading;
    const encoded = [];
    for (const text of texts) {
      encoded.push(await encodeLong(tokenizer, text, { pause: this.#pause, onProgress }));
    }
    return encoded;
  }

  #encodeBare(text: string): Promise<number[]> {
    return encodeLong(this.#reading.tokenizer, text, { pause: this.#pause });
  }
}

function kindOf({ task, layout }: ExampleReading): "conversation" | "document" | "example" {
  if (layout !== undefined) return layout.form === "chat" ? "conversation" : "example";
  return task === undefined ? "document" : "example";
}

function sameLists(a: Example["candidates"], b: Example["candidates"]): boolean {
  return a.length === b.length &&
    a.every((ids, i) => ids.length === b[i].length && ids.every((id, k) => id === b[i][k]));
}

/** The origin of a data file's name: a key of the configuration, or a task that provides its file names. */
function hintOf({ data, task }: TrainConfig, name: string): string {
  const key = (["train", "validation", "test"] as const).find((it) => data[it] === name);
  const where = `and data.folder is "${data.folder}"`;
  return key === undefined
    ? `Task ${
      task.name ?? "of the configuration"
    } names it, ${where}: get the data set and put its files there, or give your own with data.train and data.validation`
    : `data.${key} names it, ${where}`;
}
