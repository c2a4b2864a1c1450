/**
 * The configuration that a command line names: a YAML file, or a run's own.
 *
 * @module
 */
import { dirname, isAbsolute, join, relative, resolve } from "@std/path";
import { parse } from "@std/yaml";
import { readFileTextNow } from "../models/checkpoints/disk/read_file.ts";
import type { Command } from "./command.ts";

/** What the argument without a flag is, and the configuration that goes with it. */
export function fileNamed(
  first: string | undefined,
  flags: ReadonlyMap<string, readonly string[]>,
  values: ReadonlyMap<string, unknown>,
  { options }: Command,
): { runPath?: string; ledger?: string; file?: string } {
  if (first !== undefined && /\.ya?ml$/i.test(first)) return { file: first };
  // To go on, the output says enough; so does the ledger of a run, where no model is named.
  const output = values.get("resume") === true ? flags.get("output")?.at(-1) : undefined;
  const tuned = Object.hasOwn(options, "ledger") && !flags.has("model")
    ? flags.get("ledger")?.at(-1)
    : undefined;
  const path = first ?? output ?? tuned;
  // What only a run has is asked of something that is not there.
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
  // Who inspects it looks at the file itself.
  if (Object.hasOwn(options, "path") || !beginsAsLedger(path)) return {};
  const run = dirname(path);
  const about = isRunFolder(run) && !flags.has("model") ? { file: join(run, "config.yaml") } : {};
  // Who takes no ledger takes the run that it is of.
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
    return false; // No folder, or one that may not be read: who opens it says so.
  }
}

/** Whether a path is a file that begins as a ledger does. */
function beginsAsLedger(path: string): boolean {
  try {
    if (!Deno.statSync(path).isFile) return false;
    using file = Deno.openSync(path);
    const bytes = new Uint8Array(8);
    file.readSync(bytes);
    return new TextDecoder().decode(bytes) === "QZOLEDGR";
  } catch {
    return false; // Who opens it says why.
  }
}

/** The folder of the data that a file names. */
export function folderOf({ data }: Readonly<Record<string, unknown>>): unknown {
  return typeof data === "object" && data !== null ? Reflect.get(data, "folder") : undefined;
}

/** Says of paths that were written as seen from the current folder, what they should be. */
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
    return false; // Who opens it says why.
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

/** The keys of a YAML file. @throws {SyntaxError | TypeError} When it is none, or no section */
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
