/**
 * What a command is: a name, its flags, and what it does.
 *
 * @module
 */
import type { TrainConfig } from "../train/mod.ts";
import type { Terminal } from "../show/terminal.ts";
import { UsageError } from "./usage_error.ts";

/** A flag of a command that is not a key of the configuration. */
export interface OptionSpec {
  /** What follows it: a text, a number, or nothing. */
  readonly kind: "text" | "number" | "flag";
  /** What it sets, in one line, with its default. */
  readonly doc: string;
  /** Of a number: the smallest that is taken. */
  readonly min?: number;
  /** Of a number: the largest that is taken. */
  readonly max?: number;
  /** Of a number: without a fraction. */
  readonly whole?: boolean;
  /** Of a text: all that it can be; taken in any case. */
  readonly values?: readonly string[];
  /** Of a text: a path, which in a file counts from the file. */
  readonly path?: boolean;
  /** Of a text: may be given several times; see {@linkcode Options.all}. Otherwise the last one counts. */
  readonly many?: boolean;
}

/** A command of the command line. */
export interface Command {
  /** What people type. */
  readonly name: string;
  /** In one line. */
  readonly summary: string;
  /** The option that an argument without a flag sets, when it is neither a configuration nor a run's folder. */
  readonly positional: string;
  /** Whether a second argument without a flag names the data: a file to train on or to judge, or the folder of a task's files. */
  readonly takesData?: boolean;
  /** The flags that matter first, six at most: `--help` shows these. */
  readonly first: readonly string[];
  /** Command lines as people would type them, without the program's name. */
  readonly examples: readonly string[];
  /** Its own flags, in kebab-case. */
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Keys and sections of the configuration that it reads; they are flags too. */
  readonly keys: readonly string[];
  /** Whether it ends what is in flight when it is told to stop, as what was trained is to be kept; others are ended within a second. */
  readonly finishes?: boolean;
  /** Does it. */
  readonly run: (call: Call) => Promise<void>;
}

/** A command line that was understood. */
export interface Call {
  /** The values of its own flags. */
  readonly options: Options;
  /** The configuration, with keys set over it; read when it is asked for, as not every command needs a model. */
  readonly config: (over?: Readonly<Record<string, unknown>>) => TrainConfig;
  /** The run's folder, when one was named in place of a configuration. */
  readonly runPath: string | undefined;
  /** The configuration file that was named; a run's own is none. */
  readonly configPath: string | undefined;
  /** The data, when they were named by an argument without a flag: then what nothing says is decided. */
  readonly dataPath: string | undefined;
  /** Paths of the keys that flags and file gave. */
  readonly given: ReadonlySet<string>;
  /** Where to print. */
  readonly terminal: Terminal;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Lets a command take Ctrl-C itself, where the process has such; see {@linkcode OnInterrupt}. */
  readonly onInterrupt?: OnInterrupt | undefined;
}

/**
 * Hands each Ctrl-C to a function until disposed: what it answers says whether it took it. What it did not take ends the process at once.
 */
export type OnInterrupt = (take: () => boolean) => Disposable;

/** Values of a command's own flags. */
export class Options {
  readonly #values: ReadonlyMap<string, unknown>;

  /** Values by name in kebab-case, checked against the specifications by who made them. */
  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  /** A text. */
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return value === undefined ? undefined : String(value);
  }

  /** All texts of a flag that may be given several times, in their order. */
  all(name: string): readonly string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value.map(String) : value === undefined ? [] : [String(value)];
  }

  /** A text that must be there. @throws {UsageError} when it is not */
  required(name: string, example: string): string {
    const value = this.text(name);
    if (value === undefined) throw new UsageError(`Missing --${name}, for example ${example}`);
    return value;
  }

  /** Texts with commas between them. @throws {UsageError} when one of them is empty, as after a comma too many */
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

  /** A number. */
  number(name: string): number | undefined {
    const value = this.#values.get(name);
    return typeof value === "number" ? value : undefined;
  }

  /** Whether a flag is set. */
  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }
}
