/**
 * The definition of a command: its name, its flags, and its function.
 *
 * @module
 */
import type { TrainConfig } from "../train/mod.ts";
import type { Terminal } from "../show/terminal.ts";
import { UsageError } from "./usage_error.ts";

/** A flag of a command that is not a key of the configuration. */
export interface OptionSpec {
  /** What follows the flag: text, a number, or nothing. */
  readonly kind: "text" | "number" | "flag";
  /** One-line description, including the default. */
  readonly doc: string;
  /** For numbers: the least value. */
  readonly min?: number;
  /** For numbers: the greatest value. */
  readonly max?: number;
  /** For numbers: whether it must be an integer. */
  readonly whole?: boolean;
  /** For text: all possible values. Case is ignored. */
  readonly values?: readonly string[];
  /** For text: whether it is a path, which in a file is relative to that file. */
  readonly path?: boolean;
  /** For text: whether the flag may be given several times; see {@linkcode Options.all}. Otherwise the last value counts. */
  readonly many?: boolean;
}

/** A command of the command line. */
export interface Command {
  /** Name as typed. */
  readonly name: string;
  /** One-line description. */
  readonly summary: string;
  /** The option set by an argument without a flag that is neither a configuration nor a run's folder. */
  readonly positional: string;
  /** Whether a second argument without a flag is the data: a file to train on or to evaluate, or the folder of a task's files. */
  readonly takesData?: boolean;
  /** The most important flags, at most six, which `--help` shows. */
  readonly first: readonly string[];
  /** Examples of command lines, without the program's name. */
  readonly examples: readonly string[];
  /** Its own flags, in kebab-case. */
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Keys and sections of the configuration that it reads. They can be given as flags too. */
  readonly keys: readonly string[];
  /** Whether it finishes its current work when it is told to stop, in order to keep what was trained. Other commands are ended within a second. */
  readonly finishes?: boolean;
  /** Executes the command. */
  readonly run: (call: Call) => Promise<void>;
}

/** A parsed command line. */
export interface Call {
  /** Values of its own flags. */
  readonly options: Options;
  /** Reads the configuration, with the keys in `over` set. It is read only on request, because not every command needs a model. */
  readonly config: (over?: Readonly<Record<string, unknown>>) => TrainConfig;
  /** Folder of a run, if one was given instead of a configuration. */
  readonly runPath: string | undefined;
  /** Path of the configuration file that was given. Undefined for a run's own configuration. */
  readonly configPath: string | undefined;
  /** Path of the data, if it was given by an argument without a flag. Missing settings are then chosen automatically. */
  readonly dataPath: string | undefined;
  /** Paths of the keys that flags and the configuration file set. */
  readonly given: ReadonlySet<string>;
  /** Where to print. */
  readonly terminal: Terminal;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Lets a command handle Ctrl-C itself, if the process receives it; see {@linkcode OnInterrupt}. */
  readonly onInterrupt?: OnInterrupt | undefined;
}

/** Calls a function for each Ctrl-C until disposed. The function returns whether it handled it; otherwise the process ends at once. */
export type OnInterrupt = (take: () => boolean) => Disposable;

/**
 * Values of a command's own flags.
 *
 * @example A flag that was given, and one that was not
 * ```ts
 * import { Options } from "./command.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const options = new Options(new Map([["output", "tuned.gguf"]]));
 * assertEquals([options.text("output"), options.number("seed")], ["tuned.gguf", undefined]);
 * ```
 */
export class Options {
  readonly #values: ReadonlyMap<string, unknown>;

  /** Values by name in kebab-case. The caller has checked them against the specifications. */
  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  /** The value of a text flag. */
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return value === undefined ? undefined : String(value);
  }

  /** All values of a text flag that may be given several times, in order. */
  all(name: string): readonly string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value.map(String) : value === undefined ? [] : [String(value)];
  }

  /**
   * The value of a required text flag.
   *
   * @throws {UsageError} when it is missing.
   */
  required(name: string, example: string): string {
    const value = this.text(name);
    if (value === undefined) throw new UsageError(`Missing --${name}, for example ${example}`);
    return value;
  }

  /**
   * The values of a text flag, separated by commas.
   *
   * @throws {UsageError} when one of them is empty, for example because of an extra comma.
   */
  texts(name: string): string[] | undefined {
    const value = this.text(name);
    const parts = value?.split(",").map((part) => part.trim());
    if (parts?.includes("")) {
      throw new UsageError(
        `Cannot use --${name} ${JSON.stringify(value)}: there is an empty item between commas`,
      );
    }
    return parts;
  }

  /** The value of a number flag. */
  number(name: string): number | undefined {
    const value = this.#values.get(name);
    return typeof value === "number" ? value : undefined;
  }

  /** Whether a flag is set. */
  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }
}
