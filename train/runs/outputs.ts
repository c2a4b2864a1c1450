/**
 * Checks, made before any work, of every path that will be written: never a file that the work reads, never an existing file unless asked to
 * replace it, never among files of others, and never through a link out of a run's folder.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "@std/path";
import { isPart } from "../../models/checkpoints/disk/file_parts.ts";
import { folderPart } from "../../models/checkpoints/hugging_face/model_folder.ts";
import { targetKind } from "../../models/checkpoints/disk/target_kind.ts";
import { splitPaths } from "../../quant/files/gguf_split.ts";
import { taskOfConfig } from "../config/task.ts";
import type { TrainConfig } from "../config/schema.ts";
import { dataPath } from "../../tasks/data/data_path.ts";
import { isEventFile } from "./event_file_name.ts";
import { isOfRun, runFolder } from "./run_folder.ts";

/** Which files a command reads, and whether it may replace others. */
export interface OutputRules {
  /** Files that the command reads (see {@linkcode inputsOf}). */
  readonly inputs: readonly string[];
  /** Whether existing files may be replaced. Files that are read are never replaced. Default false. */
  readonly force?: boolean | undefined;
  /** The folder that no link in the path may lead out of. */
  readonly within?: string | undefined;
}

const NAMED = 3;

/**
 * The files that a configuration reads: its model (all parts, or all files of the folder), its data, and the given others, such as the
 * configuration itself and a ledger. Undefined paths are left out. The files need not exist.
 */
export async function inputsOf(
  config: TrainConfig,
  ...more: readonly (string | undefined)[]
): Promise<string[]> {
  const { model, data, adapter } = config;
  const info = await Deno.stat(model).catch(() => undefined);
  const files = info?.isDirectory
    ? [...await namesIn(model)].map((name) => join(model, name))
    : partsOf(model);
  return [
    ...files,
    ...adapter === undefined
      ? []
      : ["adapter_config.json", "adapter_model.safetensors"].map((name) => join(adapter, name)),
    ...dataFiles(config).map((name) => resolve(pathOf(name, data.folder))),
    ...more.filter((path) => path !== undefined),
  ];
}

/** All parts of a split model, or the single file. */
function partsOf(path: string): string[] {
  try {
    return splitPaths(path) ?? [path];
  } catch {
    return [path];
  }
}

/** The path of a data file. A path that does not exist is reported when the data is read. */
function pathOf(name: string, folder: string): string {
  try {
    return dataPath(name, folder);
  } catch {
    return name;
  }
}

function dataFiles(config: TrainConfig): string[] {
  const { train, validation, test } = config.data;
  const named = [train, validation, test].filter((name) => name !== undefined);
  try {
    return [...named, ...Object.values(taskOfConfig(config)?.files ?? {})];
  } catch {
    return named; // Reported when it is used.
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}

/**
 * Checks files before they are written.
 *
 * @throws {RangeError} when one of them is also read, under any name or link.
 * @throws {Deno.errors.AlreadyExists} when one exists and may not be replaced.
 */
export async function checkFiles(paths: readonly string[], rules: OutputRules): Promise<void> {
  const read = await Inputs.of(rules.inputs);
  for (const path of paths) {
    await read.refuse(path);
    const info = await Deno.lstat(path).catch(() => undefined);
    if (info?.isDirectory) {
      throw new TypeError(`Cannot write "${path}": there is a folder of that name. Choose another`);
    }
    if (info && !rules.force) {
      throw new Deno.errors.AlreadyExists(
        `Cannot write "${path}": it exists. Choose another name, or add --force to overwrite it`,
      );
    }
  }
}

/**
 * Checks the destination of a model before it is written: a file, the files of a split model, or a folder.
 *
 * @throws {RangeError} when a file there is also read, or the folder contains files that do not belong to a model.
 * @throws {Deno.errors.AlreadyExists} when the destination exists and may not be replaced.
 */
export async function checkModelOutput(path: string, rules: OutputRules): Promise<void> {
  if (rules.within !== undefined) await checkLinks(rules.within, [basename(path)]);
  if (targetKind(path) !== "folder") return await checkFiles(partsOf(path), rules);
  const read = await Inputs.of(rules.inputs);
  await read.refuse(path);
  const info = await Deno.stat(path).catch(() => undefined);
  if (!info) return await checkFiles([path], rules); // Nothing, or a link to nothing.
  if (!info.isDirectory) {
    throw new TypeError(`Cannot write a folder to "${path}": there is a file of that name`);
  }
  const names = (await namesIn(path)).filter((name) => !isPart(name) && !name.startsWith("."));
  for (const name of names) await read.refuse(join(path, name));
  if (names.length === 0) return;
  if (!rules.force) {
    throw new Deno.errors.AlreadyExists(
      `Cannot write a model to "${path}": the folder contains ${
        listed(names)
      }. Choose another, or add --force to overwrite a model`,
    );
  }
  const foreign = names.filter((name) => folderPart(name) === "foreign");
  if (foreign.length > 0) {
    throw new RangeError(
      `Cannot write a model to "${path}": the folder contains files that do not belong to a model: ${
        listed(foreign)
      }. Choose another`,
    );
  }
}

/** Options of {@linkcode checkRunOutput}. */
export interface RunOutputRules extends OutputRules {
  /** Whether the run in the folder is resumed. */
  readonly resume: boolean;
}

/**
 * Checks the folder of a run before it begins or is resumed.
 *
 * @throws {Deno.errors.AlreadyExists} when a new run's folder contains a run, or a file with a name that a run writes.
 * @throws {Deno.errors.NotFound} when there is no run to resume.
 * @throws {RangeError} when a new run's folder contains other files, or a file to be written is also read or is a link out of the folder.
 */
export async function checkRunOutput(
  path: string,
  { inputs, force = false, resume }: RunOutputRules,
): Promise<void> {
  const { ledger, state, best, lock, config, metrics, curve, examples } = runFolder(path);
  const names = await namesIn(path).catch((): string[] => []);
  const has = (file: string) => names.includes(basename(file));
  if (resume && !has(ledger)) {
    throw new Deno.errors.NotFound(`Cannot resume a run in "${path}": there is no ${ledger}`);
  }
  if (!resume && has(ledger)) {
    throw new Deno.errors.AlreadyExists(
      `Cannot start a run in "${path}": it already contains one. Add --resume to continue it, or choose another --output`,
    );
  }
  await checkLinks(path, names.filter((name) => isOfRun(name)));
  const read = await Inputs.of(inputs);
  const events = names.filter(isEventFile).map((name) => join(path, name));
  const written = [
    ...[ledger, state, best, metrics, curve, config, examples].filter(has),
    ...events,
  ];
  // A resumed run continues its own files, and its own configuration may be the given one.
  if (resume) return;
  for (const file of written) {
    if (!await read.has(file)) continue;
    throw new RangeError(
      `Cannot start a run in "${path}": the run would overwrite "${file}", which is one of its inputs. Choose another --output, such as ${
        JSON.stringify(join(path, "run"))
      }`,
    );
  }
  const taken = written.map((file) => basename(file));
  if (taken.length > 0 && !force) {
    throw new Deno.errors.AlreadyExists(
      `Cannot start a run in "${path}": it holds ${
        listed(taken)
      }, which the run would overwrite. Choose another --output, such as ${
        JSON.stringify(join(path, "run"))
      }, or add --force`,
    );
  }
  const foreign = names.filter((name) =>
    !isOfRun(name) && name !== basename(lock) && !isPart(name) && !name.startsWith(".")
  );
  if (foreign.length > 0 && !force) {
    throw new RangeError(
      `Cannot start a run in "${path}": it contains files that do not belong to a run: ${
        listed(foreign)
      }. Choose a separate folder, such as ${
        JSON.stringify(join(path, "run"))
      }, or add --force to add to them`,
    );
  }
}

/** @throws {RangeError} when a file that a run writes is a link out of its folder. */
async function checkLinks(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    const info = await Deno.lstat(path).catch(() => undefined);
    if (!info?.isSymlink) continue;
    const own = await Deno.realPath(folder);
    const target = await Deno.realPath(path).catch(() => undefined);
    if (target === undefined || dirname(target) !== own) {
      throw new RangeError(
        `Cannot write to "${path}": it is a link that points outside the run's folder${
          target === undefined ? "" : ` (to "${target}")`
        }. Remove the link, or choose another --output`,
      );
    }
  }
}

/** Files that are read, by everything that identifies them. */
class Inputs {
  readonly #known: ReadonlyMap<string, string>;

  private constructor(known: ReadonlyMap<string, string>) {
    this.#known = known;
  }

  static async of(paths: readonly string[]): Promise<Inputs> {
    const known = new Map<string, string>();
    for (const path of paths) {
      for (const key of await identities(path)) known.set(key, path);
    }
    return new Inputs(known);
  }

  /** The file that is read and that `path` is, or links to. */
  async has(path: string): Promise<string | undefined> {
    for (const key of await identities(path)) {
      if (this.#known.has(key)) return this.#known.get(key);
    }
    return undefined;
  }

  /** @throws {RangeError} when the file at `path` is read. */
  async refuse(path: string): Promise<void> {
    const input = await this.has(path);
    if (input === undefined) return;
    const same = resolve(input) === resolve(path) ? "" : ` (it is "${input}")`;
    throw new RangeError(
      `Cannot write "${path}": it is an input of this command${same}. Choose another name`,
    );
  }
}

/** The path, the target of its links, and the file itself: one file may have several names. */
async function identities(path: string): Promise<string[]> {
  const folder = await Deno.realPath(dirname(resolve(path))).catch(() => dirname(resolve(path)));
  const real = await Deno.realPath(path).catch(() => undefined);
  const info = await Deno.stat(path).catch(() => undefined);
  return [
    join(folder, basename(path)),
    ...(real === undefined ? [] : [real]),
    ...(info?.ino ? [`${info.dev}:${info.ino}`] : []),
  ];
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).map((name) => JSON.stringify(name)).join(", ");
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
