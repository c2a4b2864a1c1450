/**
 * A cache of a run's tokenised examples, so that resuming need not tokenise again. It is used only if the data, the tokenizer and the settings are
 * unchanged, and if the examples are those that the ledger was started with.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { join } from "@std/path";
import type { Sight } from "../../models/architecture.ts";
import type { ModelSource } from "../../models/checkpoints/checkpoint.ts";
import type { ByteSource } from "../../quant/files/byte_source.ts";
import { openFile, writeFileWhole } from "../../models/checkpoints/disk/files.ts";
import { readFileBytes } from "../../models/checkpoints/disk/read_file.ts";
import { folderPart } from "../../models/checkpoints/hugging_face/model_folder.ts";
import { dataPath } from "../../tasks/data/data_path.ts";
import { type Split, type Task, taskFor } from "../../tasks/task.ts";
import { Pause } from "../../tasks/pause.ts";
import type { TrainConfig } from "../config/schema.ts";
import { taskOfConfig } from "../config/task.ts";
import { openLedger } from "../ledgers/ledger_file.ts";
import { chatTemplateOf } from "./chat_layout.ts";
import { fileOfSplit } from "./example_file.ts";
import { type ExampleBounds, packExamples, unpackExamples } from "./packed_examples.ts";
import { recogniseTask } from "./recognise_task.ts";
import { assertSameData, dataOfRun, orderOf } from "./run_data.ts";
import { runFolder } from "./run_folder.ts";
import type { TaskExamples } from "./task_examples.ts";

/** Identifies the version of the file's format and of reading and tokenising. Change the number when either changes. */
const MAGIC = new TextEncoder().encode("qzo examples 2\n\0");
const HASH_BYTES = 32;
/** Bytes of data below which nothing is cached, because tokenising is fast. */
const LEAST_DATA = 2 ** 18;
const PIECE = 2 ** 20;
const SPLITS: readonly Split[] = ["train", "dev", "test"];

/** What examples depend on besides the configuration. */
export interface ExamplesCacheOptions {
  /** The model as stored on disk, with its tokenizer. */
  readonly stored: ModelSource;
  /** The model's longest sequence in tokens. */
  readonly maxPositions: number;
  /** Which tokens the model attends to. */
  readonly sees: Sight;
  /** Aborts reading. */
  readonly signal?: AbortSignal | undefined;
}

/** The result of reading the cache. */
export interface KeptExamples {
  /** The examples, if the cache can be used. */
  readonly examples?: TaskExamples;
  /** Why it cannot be used, if it is damaged or does not belong to the run. */
  readonly notes?: readonly string[];
}

/** The cached examples of a run. */
export class ExamplesCache {
  readonly #path: string;
  readonly #config: TrainConfig;
  readonly #key: Uint8Array<ArrayBuffer>;
  readonly #task: Task | undefined;
  readonly #bounds: ExampleBounds;

  private constructor(
    config: TrainConfig,
    { key, task, bounds }: {
      readonly key: Uint8Array<ArrayBuffer>;
      readonly task: Task | undefined;
      readonly bounds: ExampleBounds;
    },
  ) {
    this.#path = runFolder(config.output).examples;
    this.#config = config;
    this.#key = key;
    this.#task = task;
    this.#bounds = bounds;
  }

  /**
   * The cache of a configured run. Undefined if there is too little data to be worth caching, or the files of data or tokenizer are not known.
   *
   * @throws the signal's reason when it aborts.
   */
  static async of(
    config: TrainConfig,
    options: ExamplesCacheOptions,
  ): Promise<ExamplesCache | undefined> {
    const { stored: { tokenizer }, maxPositions, sees, signal } = options;
    if (tokenizer === undefined) return undefined;
    const length = Math.min(config.maxLength, maxPositions);
    try {
      const { config: known } = await recogniseTask(config, { signal });
      const configured = taskOfConfig(known);
      const task = configured && taskFor(configured, sees);
      const key = await keyOf(known, { ...options, task, length });
      const bounds = { vocabularySize: tokenizer.vocabularySize, length };
      return key && new ExamplesCache(config, { key, task, bounds });
    } catch {
      // Reading the files later reports what is wrong with them.
      signal?.throwIfAborted();
      return undefined;
    }
  }

  /** Reads the cached examples, if they match the configuration and the run's ledger. */
  async read(): Promise<KeptExamples> {
    const path = runFolder(this.#config.output).ledger;
    // Resuming reports what is wrong with a ledger.
    const ledger = await openLedger(path).catch(() => undefined);
    if (ledger === undefined) return {};
    try {
      const bytes = await readFileBytes(this.#path, "examples");
      let at = 0;
      const take = (length: number) => bytes.subarray(at, at += length);
      if (!same(take(MAGIC.length), MAGIC) || !same(take(HASH_BYTES), this.#key)) return {};
      const [hash, packed] = [take(HASH_BYTES), bytes.subarray(at)];
      if (!same(hash, sha256(packed))) throw new RangeError("it is damaged");
      const examples = {
        ...unpackExamples(packed, this.#bounds),
        ...(this.#task ? { task: this.#task } : {}),
      };
      const data = dataOfRun(this.#config, examples, orderOf(ledger.header));
      try {
        assertSameData(ledger.header.data, data, { path, config: this.#config });
      } catch {
        throw new RangeError("it is not what the run was started with");
      }
      return { examples };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return {};
      const why = (error as Error).message;
      return { notes: [`"${this.#path}" is ignored and the data files are read again: ${why}`] };
    }
  }

  /** Caches a run's examples. Call it when the folder belongs to the run. Returns a note if writing failed. */
  async write(examples: TaskExamples): Promise<string[]> {
    try {
      const packed = packExamples(examples);
      if (packed === undefined) return [];
      await writeFileWhole(this.#path, [MAGIC, this.#key, sha256(packed), packed]);
      return [];
    } catch (error) {
      return [`the examples are not cached for resuming: ${(error as Error).message}`];
    }
  }
}

/** A hash of everything that examples depend on. Undefined if nothing is to be cached. */
async function keyOf(
  config: TrainConfig,
  { stored, task, sees, length, signal }: ExamplesCacheOptions & {
    readonly task: Task | undefined;
    readonly length: number;
  },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { data: { folder, ...data }, seed } = config;
  const files = SPLITS.map((split) => fileOfSplit({ config, task }, split));
  const paths = files.flatMap((file) => file === undefined ? [] : dataPath(file, folder));
  let bytes = 0;
  for (const path of paths) bytes += (await Deno.stat(path)).size;
  if (bytes < LEAST_DATA) return undefined;
  const hash = createHash("sha256");
  // The functions of a built-in task follow from its name.
  const template = await chatTemplateOf(config);
  hash.update(JSON.stringify([config.task, data, task, template, files, seed, sees, length]));
  const pause = new Pause(signal);
  if (!await addTokenizer(hash, stored, pause)) return undefined;
  for (const path of paths) await addFile(hash, path, pause);
  return Uint8Array.from(hash.digest());
}

/** Adds the files or the header that contain a model's tokenizer. Returns false if they are not known. */
async function addTokenizer(hash: Hash, stored: ModelSource, pause: Pause): Promise<boolean> {
  const { folder, header } = stored;
  const gguf = stored.gguf ?? stored.split?.[0];
  if (folder) {
    const names: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(folder.path)) {
      if (!isDirectory && folderPart(name) === "needed") names.push(name);
    }
    for (const name of names.sort()) {
      hash.update(JSON.stringify(name));
      await addFile(hash, join(folder.path, name), pause);
    }
    return true;
  }
  if (!gguf || !header) return false;
  await addBytes(hash, gguf.source, header.dataOffset, pause);
  return true;
}

async function addFile(hash: Hash, path: string, pause: Pause): Promise<void> {
  using file = await openFile(path, "data");
  await addBytes(hash, file, file.size, pause);
}

async function addBytes(
  hash: Hash,
  source: Pick<ByteSource, "read">,
  length: number,
  pause: Pause,
): Promise<void> {
  hash.update(`${length}\n`);
  for (let at = 0; at < length; at += PIECE) {
    hash.update(await source.read(at, Math.min(PIECE, length - at)));
    if (pause.due) await pause.rest();
  }
}

function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash("sha256").update(bytes).digest());
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
