/**
 * The configuration that a command line names: a YAML file, or a run's own.
 *
 * @module
 */
import { dirname, isAbsolute, join, relative, resolve } from "@std/path";
import { parse } from "@std/yaml";
import { readFileTextNow } from "../models/checkpoints/disk/read_file.ts";
import type { Command } from "./command.ts";

/** The run folder, ledger or configuration file that the command line names, with the configuration that belongs to it. */
export function fileNamed(
  first: string | undefined,
  flags: ReadonlyMap<string, readonly string[]>,
  values: ReadonlyMap<string, unknown>,
  { options }: Command,
): { runPath?: string; ledger?: string; file?: string } {
  if (first !== undefined && /\.ya?ml$/i.test(first)) return { file: first };
  // With --resume, --output alone names the run; so does --ledger if no model is named.
  const output = values.get("resume") === true ? flags.get("output")?.at(-1) : undefined;
  const tuned = Object.hasOwn(options, "ledger") && !flags.has("model")
    ? flags.get("ledger")?.at(-1)
    : undefined;
  const path = first ?? output ?? tuned;
  // --resume and --step need a run, and the path does not exist.
  const ofRun = ["resume", "step"].find((name) => values.has(name));
  const elsewhere = ["model", "ledger", ...first === undefined ? [] : ["output"]];
  if (
    ofRun !== undefined && path !== undefined && path !== tuned && !exists(path) &&
    !elsewhere.some((name) => flags.has(name))
  ) {
    throw new Deno.errors.NotFound(
      `Cannot use --${ofRun} with "${path}": there is no such file or folder; name the run's folder`,
    );
  }
  if (
    ofRun === "resume" && first !== undefined && !flags.has("output") && holdsNothing(first)
  ) {
    throw new Deno.errors.NotFound(
      `Cannot use --resume with "${first}": there is no run in it; name the run's folder`,
    );
  }
  if (path === undefined) return {};
  if (isRunFolder(path)) {
    return {
      ...path === tuned && first === undefined ? {} : { runPath: path },
      file: join(path, "config.yaml"),
    };
  }
  // A command with the option `path` inspects the ledger itself.
  if (Object.hasOwn(options, "path") || !beginsAsLedger(path)) return {};
  const run = dirname(path);
  const about = isRunFolder(run) && !flags.has("model") ? { file: join(run, "config.yaml") } : {};
  // A command without the option `ledger` uses the run that the ledger belongs to.
  if (!Object.hasOwn(options, "ledger") && "file" in about) return { runPath: run, ...about };
  return { ledger: path, ...about };
}

/** Whether a path is a folder with neither a run nor a model. */
function holdsNothing(path: string): boolean {
  try {
    return ![...Deno.readDirSync(path)].some(({ name }) =>
      name === "config.yaml" || name === "config.json" || /\.gguf$/i.test(name)
    );
  } catch {
    return false; // Not a folder, or not readable: opening it reports why.
  }
}

/** Whether a path is a file that begins with the magic bytes of a ledger. */
function beginsAsLedger(path: string): boolean {
  try {
    if (!Deno.statSync(path).isFile) return false;
    using file = Deno.openSync(path);
    const bytes = new Uint8Array(8);
    file.readSync(bytes);
    return new TextDecoder().decode(bytes) === "QZOLEDGR";
  } catch {
    return false; // Opening it reports why.
  }
}

/** The data folder that a configuration names. */
export function folderOf({ data }: Readonly<Record<string, unknown>>): unknown {
  return typeof data === "object" && data !== null ? Reflect.get(data, "folder") : undefined;
}

/** Rejects paths that were written relative to the working directory instead of the file, and suggests what to write. */
export function assertFound(
  written: Readonly<Record<string, unknown>>,
  root: Readonly<Record<string, unknown>>,
  file: string,
  flagged: ReadonlySet<string>,
): void {
  const pairs = [
    ["model", written.model, root.model],
    ["data.folder", folderOf(written), folderOf(root)],
  ] as const;
  for (const [key, from, seen] of pairs) {
    if (typeof from !== "string" || typeof seen !== "string") continue;
    if (flagged.has(key) || isAbsolute(from) || exists(seen) || !exists(from)) continue;
    const right = relative(resolve(dirname(file)), resolve(from));
    throw new Deno.errors.NotFound(
      `Cannot use ${key} ${
        JSON.stringify(from)
      } of ${file}: paths are relative to the file that names them, and "${seen}" does not exist. Write "${right}", or give it with --${
        key.replaceAll("_", "-")
      }`,
    );
  }
}

/** Whether a path is a folder. */
export function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false; // Opening it reports why.
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The keys of a YAML file.
 *
 * @throws {SyntaxError} when it is too long or not valid YAML.
 * @throws {TypeError} when it does not contain keys.
 */
export function readYaml(path: string): Record<string, unknown> {
  const text = readFileTextNow(path, "configuration", { hint: "Give the path of a YAML file" });
  if (text.length > 1_000_000) {
    throw new SyntaxError(
      `Cannot read ${path}: a configuration cannot have ${text.length} characters`,
    );
  }
  let value: unknown;
  try {
    value = parse(text, { schema: "core" });
  } catch (cause) {
    const reason = cause instanceof SyntaxError
      ? cause.message.split("\n")[0]
      : "it is nested too deeply";
    throw new SyntaxError(`Cannot read ${path}: ${reason}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`Cannot use ${path} as a configuration: expected keys such as "model"`);
  }
  return { ...value };
}

function isRunFolder(path: string): boolean {
  const exists = (name: string) => {
    try {
      return Deno.statSync(join(path, name)).isFile;
    } catch {
      return false;
    }
  };
  return exists("config.yaml") && !exists("config.json");
}
