/**
 * Parses command lines into options and a configuration. Flags override a YAML file, which overrides the defaults.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { dirname, resolve } from "@std/path";
import { parse } from "@std/yaml";
import { nearestNames } from "../quant/nearest_names.ts";
import { pathFrom, withPathsFrom } from "../train/config/paths.ts";
import { meantKey } from "../train/config/field_words.ts";
import { type ConfigKey, type TrainConfig, trainConfigKeys } from "../train/mod.ts";
import { readTrainConfig } from "../train/config/schema.ts";
import { MAIN_KEYS, withSections } from "../train/config/short_sections.ts";
import { type Command, Options, type OptionSpec } from "./command.ts";
import { assertFound, fileNamed, folderOf, isFolder, readYaml } from "./configuration_file.ts";
import { withoutOthersArguments } from "./other_optimiser.ts";
import { withoutOthersSelection } from "./other_scheme.ts";
import { UsageError } from "./usage_error.ts";

/** Flags of every command. */
export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  help: { kind: "flag", doc: "explain the command; --help all lists every flag" },
  verbose: { kind: "flag", doc: "show where an error comes from (QZO_DEBUG=1 does too)" },
};

/** Short names of keys. The name of a section alone stands for its main key. */
export const KEY_ALIASES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(MAIN_KEYS).map(([key, main]) => [key, `${key}.${main}`])),
  format: "quantize.format",
  "learning-rate": "optimiser.learning_rate",
};

/** A parsed command line. */
export interface ParsedArguments {
  readonly options: Options;
  /** Reads the configuration, with the keys in `over` set. */
  readonly config: (over?: Readonly<Record<string, unknown>>) => TrainConfig;
  /** Folder of the run, if one was named. */
  readonly runPath: string | undefined;
  /** Path of the configuration file, if one was named. */
  readonly configPath: string | undefined;
  /** Path of the data, if it was given by an argument without a flag. */
  readonly dataPath: string | undefined;
  /** Paths of the keys that flags and the file set. */
  readonly given: ReadonlySet<string>;
  /** Notes on how the file and the command line were combined, one sentence each. */
  readonly notes: readonly string[];
}

/** The flag of a key: `optimiser.learning-rate` for `optimiser.learning_rate`. */
export function flagOf(path: string): string {
  return path.replaceAll("_", "-");
}

/** The keys of the configuration that a command reads. */
export function keysOfCommand({ keys }: Command): ConfigKey[] {
  return trainConfigKeys().filter(({ path }) =>
    keys.some((key) => path === key || path.startsWith(`${key}.`))
  );
}

/** The short names that a command accepts: those of keys that it reads, unless it has an option of the same name. */
export function aliasesOfCommand(command: Command): [string, string][] {
  const known = new Set(keysOfCommand(command).map(({ path }) => path));
  return Object.entries(KEY_ALIASES).filter(([alias, path]) =>
    known.has(path) && !Object.hasOwn(command.options, alias)
  );
}

/**
 * Parses the arguments after a command's name.
 *
 * @param ownKeys Names of the options of all commands. One file may serve several commands, and each takes its own.
 * @throws {UsageError} for an unknown flag (naming the nearest known one), a missing or unusable value, or too many arguments.
 * @throws whatever reading the configuration file throws.
 */
export function parseCommandArguments(
  args: readonly string[],
  command: Command,
  ownKeys: ReadonlySet<string>,
): ParsedArguments {
  const specs = { ...GLOBAL_OPTIONS, ...command.options };
  const keys = new Map(keysOfCommand(command).map((key) => [flagOf(key.path), key]));
  for (const [alias, path] of aliasesOfCommand(command)) {
    const key = trainConfigKeys().find((it) => it.path === path);
    if (key) keys.set(alias, key);
  }
  // The command's own options hide keys of the same name.
  for (const name of Object.keys(specs)) keys.delete(name);

  const { flags, positionals } = parseFlags(args, specs, keys);
  const values = new Map<string, unknown>();
  const given: [string[], unknown][] = [];
  for (const [name, texts] of flags) {
    const key = keys.get(name);
    if (key) {
      assertOneAdapter(name, texts);
      given.push([key.path.split("."), keyValue(key, texts)]);
    } else values.set(name, optionValue(name, specs[name], texts));
  }

  const [first, ...more] = positionals;
  const dataPath = command.takesData ? more.shift() : undefined;
  if (more.length > 0) {
    throw new UsageError(
      `Too many arguments: ${JSON.stringify(more[0])} after ${JSON.stringify(dataPath ?? first)}`,
    );
  }
  if (dataPath !== undefined) {
    const key = isFolder(dataPath) ? "folder" : "train";
    if (given.some(([path]) => path.join(".") === `data.${key}`)) {
      throw new UsageError(
        `Too many arguments: ${JSON.stringify(dataPath)} and --data.${key} both name the data`,
      );
    }
    given.push([["data", key], dataPath]);
  }
  const named = fileNamed(first, flags, values, command);
  const { runPath, ledger, file } = named;
  if (ledger !== undefined && Object.hasOwn(specs, "ledger")) values.set("ledger", ledger);
  let root: Record<string, unknown> = {};
  const notes: string[] = [];
  if (file !== undefined) {
    const folder = dirname(file);
    const written = withSections(readYaml(file));
    for (const [key, value] of Object.entries(withPathsFrom(written, folder))) {
      const name = key.replaceAll("_", "-");
      const own = Object.hasOwn(command.options, name) ? command.options[name] : undefined;
      // `prompt` is either a text to continue or a section for training; the value tells them apart.
      const isText = typeof value !== "object" && ownKeys.has(name);
      const isKey = trainConfigKeys().some(({ path }) =>
        path === key || !isText && path.startsWith(`${key}.`)
      );
      if (isKey) root[key] = value;
      else if (own) {
        const read = fileValue(key, own, value, file);
        const seen = own.path && typeof read === "string" ? pathFrom(folder, read) : read;
        if (!values.has(name)) values.set(name, seen);
      } else if (!ownKeys.has(name)) root[key] = value; // readTrainConfig rejects it and names the nearest key
    }
    const flagged = new Set(given.map(([path]) => path.join(".")));
    // `--steps` replaces `epochs` of the file, and the other way round.
    for (const [one, other] of [["steps", "epochs"], ["epochs", "steps"]]) {
      if (flagged.has(one) && !flagged.has(other)) delete root[other];
    }
    assertFound(written, root, file, flagged);
    const name = given.findLast(([path]) => path.join(".") === "optimiser.name")?.[1];
    const without = withoutOthersArguments(root.optimiser, { name, given: flagged, file });
    if (without.section !== undefined) root.optimiser = without.section;
    notes.push(...without.notes);
    const scheme = given.findLast(([path]) => path.join(".") === "scheme")?.[1];
    const selected = withoutOthersSelection(root, { name: scheme, given: flagged, file });
    root = selected.keys;
    notes.push(...selected.notes);
    // Without a data folder, data files named by flags are relative to the working directory.
    if (folderOf(written) === undefined && !flagged.has("data.folder")) {
      for (const one of given) {
        if (DATA_FILES.has(one[0].join("."))) one[1] = resolve(String(one[1]));
      }
    }
  } else if (first !== undefined && ledger === undefined) {
    const { positional } = command;
    if (keys.has(positional)) given.push([[positional], first]);
    else values.set(positional, optionValue(positional, specs[positional], [first]));
  }
  for (const [path, value] of given) setPath(root, path, value);
  const sources = new Map(given.map(([path]) => [path.join("."), "the command line"]));
  return {
    options: new Options(values),
    config: (over = {}) =>
      readTrainConfig({ ...root, ...over }, file ?? "the command line", sources),
    runPath,
    dataPath,
    given: new Set(pathsOf(root)),
    configPath: runPath === undefined ? file : undefined,
    notes,
  };
}

/** Paths of all keys in a section. */
function pathsOf(section: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(section).flatMap(([key, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? pathsOf({ ...value }).map((path) => `${key}.${path}`)
      : [key]
  );
}

const DATA_FILES: ReadonlySet<string> = new Set(["data.train", "data.validation", "data.test"]);

/** Flags that were given, with their values, in the order in which they are defined; and the arguments without a flag. */
function parseFlags(
  args: readonly string[],
  specs: Readonly<Record<string, OptionSpec>>,
  keys: ReadonlyMap<string, ConfigKey>,
): { flags: Map<string, string[]>; positionals: string[] } {
  const isFlag = (name: string) => specs[name]?.kind === "flag";
  const known = [...Object.keys(specs), ...keys.keys()];
  // Checked before parseArgs, which takes some names for properties of every object (`constructor`).
  const names = new Set(known);
  for (const arg of args) {
    if (arg === "--") break;
    const name = /^--([^=]+)/.exec(arg)?.[1].replaceAll("_", "-");
    if (name !== undefined && !names.has(name)) throw unknownFlag(name, known);
  }
  // parseArgs would nest names with dots, so dots are replaced while it runs.
  const hide = (name: string) => name.replaceAll(".", "/");
  const hidden = withNegativeNumbers(args).map((arg) =>
    arg.replace(/^--[^=]+/, (name) => hide(name).replaceAll("_", "-"))
  );
  const parsed: Record<string, unknown> = parseArgs(hidden, {
    boolean: known.filter(isFlag),
    string: known.filter((name) => !isFlag(name)).map(hide),
    collect: known.filter((name) => !isFlag(name)).map(hide),
    alias: { help: "h" },
    unknown: (_arg, key) => {
      if (key !== undefined) throw unknownFlag(key.replaceAll("/", "."), known);
      return true;
    },
  });
  const flags = new Map<string, string[]>();
  for (const name of known) {
    const value = parsed[hide(name)];
    if (Array.isArray(value)) {
      if (value.length === 0) continue;
      if (value.some((text) => text === "")) {
        throw new UsageError(`Missing value after --${name}`);
      }
      flags.set(name, value.map(String));
    } else if (value === true) flags.set(name, []);
  }
  const positionals = parsed._;
  return { flags, positionals: Array.isArray(positionals) ? positionals.map(String) : [] };
}

/** Joins `--flag -1` to `--flag=-1`, because a negative number is a value, not a flag. */
function withNegativeNumbers(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const last = joined.at(-1);
    if (/^-[\d.]/.test(arg) && last !== undefined && /^--[^=]+$/.test(last)) {
      joined[joined.length - 1] = `${last}=${arg}`;
    } else joined.push(arg);
  }
  return joined;
}

function unknownFlag(name: string, known: readonly string[]): UsageError {
  const meant = meantKey(name, known.map((flag) => flag.replaceAll("-", "_")));
  if (meant !== undefined) {
    return new UsageError(`Unknown flag --${name}: did you mean --${flagOf(meant)}?`);
  }
  if (name === "adapter" && known.includes("device")) {
    return new UsageError(
      "Unknown flag --adapter: this command applies no adapter to the model; choose the GPU with --device",
    );
  }
  // Of a key in a section, people remember the last part.
  const last = (flag: string) => flag.split(".").at(-1) ?? flag;
  const [nearest = known.find((flag) => last(flag) === last(name))] = [
    ...nearestNames(name, known, 1),
    ...known.filter((flag) => nearestNames(last(name), [last(flag)], 1).length > 0),
  ];
  return new UsageError(
    `Unknown flag --${name}${nearest === undefined ? "" : `: did you mean --${nearest}?`}`,
  );
}

/** Rejects more than one adapter: training starts from one, whereas other commands add several up. */
function assertOneAdapter(name: string, texts: readonly string[]): void {
  if (name !== "adapter" || texts.length === 1) return;
  throw new UsageError(
    `Cannot use --adapter ${
      texts.join(" --adapter ")
    }: this command takes one adapter to start from; write their sum with export, and start from that`,
  );
}

function optionValue(name: string, spec: OptionSpec, texts: readonly string[]): unknown {
  if (spec.kind === "flag") return true;
  if (spec.many) return texts;
  const text = texts[texts.length - 1];
  if (spec.kind === "text") return spec.values ? oneOf(spec.values, text, `--${name}`) : text;
  const value = Number(text);
  const expected = missed(spec, value);
  if (text.trim() !== "" && expected === undefined) return value;
  throw new UsageError(
    `Cannot use --${name} ${JSON.stringify(text)}: expected ${expected ?? "a number"}`,
  );
}

/** The member of a closed set that a text names. Case is ignored. */
function oneOf(values: readonly string[], text: string, what: string): string {
  const found = values.find((it) => it.toLowerCase() === text.toLowerCase());
  if (found !== undefined) return found;
  const [nearest] = nearestNames(text, values, 1);
  throw new UsageError(
    `Cannot use ${what} ${JSON.stringify(text)}: expected ${values.slice(0, -1).join(", ")} or ${
      values.at(-1)
    }${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
  );
}

/** Description of the expected number. Undefined if the value fits. */
function missed(
  { min = -Infinity, max = Infinity, whole = false }: OptionSpec,
  value: unknown,
): string | undefined {
  const fits = typeof value === "number" && Number.isFinite(value) && value >= min &&
    value <= max && (!whole || Number.isInteger(value));
  if (fits) return undefined;
  const bounds = Number.isFinite(max)
    ? ` from ${min} to ${max}`
    : Number.isFinite(min)
    ? ` of at least ${min}`
    : "";
  return `a ${whole ? "whole " : ""}number${bounds}`;
}

function fileValue(key: string, spec: OptionSpec, value: unknown, file: string): unknown {
  const type = typeof value;
  const expected = spec.kind === "number"
    ? missed(spec, value)
    : spec.kind === "flag"
    ? type === "boolean" ? undefined : "true or false"
    : type === "string" || type === "number"
    ? undefined
    : "a text";
  if (expected === undefined) {
    return spec.values ? oneOf(spec.values, String(value), `${key} in ${file}`) : value;
  }
  throw new TypeError(`Cannot use ${key} in ${file}: expected ${expected}`);
}

/** Converts a flag's text to what its key expects. The schema checks it afterwards. */
function keyValue({ expects }: ConfigKey, texts: readonly string[]): unknown {
  const text = texts[texts.length - 1];
  if (expects === "text" || expects.startsWith("one of")) return text;
  if (expects.startsWith("a list of text") || expects.startsWith("a list of one of")) {
    return texts.length === 1 && text.startsWith("[") ? yamlValue(text) : texts;
  }
  if (expects.startsWith("a number") && /^[+]?\.?inf(inity)?$/i.test(text)) return Infinity;
  return yamlValue(text);
}

/** The value of a text as YAML, or the text itself if it is not valid YAML. */
function yamlValue(text: string): unknown {
  try {
    return parse(text, { schema: "core" });
  } catch {
    return text;
  }
}

/** Sets the value at a path of keys. Anything on the way that is not a section is replaced by one. */
function setPath(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = root;
  for (const key of path.slice(0, -1)) {
    const inner = at[key];
    const next: Record<string, unknown> = typeof inner === "object" && inner !== null
      ? { ...inner }
      : {};
    at[key] = next;
    at = next;
  }
  at[path[path.length - 1]] = value;
}
