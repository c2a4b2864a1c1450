/**
 * The command line: `qzo finetune | evaluate | generate | chat | quantize | inspect | replay | export |
 * bench-optimisers | doctor | completion`.
 *
 * Exit codes: 0 done, 1 an error (one line; with its origin if `--verbose` or `QZO_DEBUG` is set), 130 interrupted.
 *
 * @module
 */
import { inWords } from "../models/checkpoints/disk/attempt.ts";
import { removeParts } from "../models/checkpoints/disk/file_parts.ts";
import { nearestNames } from "../quant/nearest_names.ts";
import { parseCommandArguments } from "./arguments.ts";
import type { Command, OnInterrupt } from "./command.ts";
import { benchOptimisersCommand } from "./commands/bench_optimisers.ts";
import { completionCommand } from "./commands/completion.ts";
import { chatCommand } from "./commands/chat.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { evaluateCommand } from "./commands/evaluate.ts";
import { exportCommand } from "./commands/export.ts";
import { finetuneCommand } from "./commands/finetune.ts";
import { generateCommand } from "./commands/generate.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { quantizeCommand } from "./commands/quantize.ts";
import { replayCommand } from "./commands/replay.ts";
import { commandHelp, overview } from "./help.ts";
import { versionLine } from "./version.ts";
import { message } from "../show/printable.ts";
import { guarded, notes, processTerminal, type Terminal } from "../show/terminal.ts";
import { UsageError } from "./usage_error.ts";

export type { Call, Command, OnInterrupt, Options, OptionSpec } from "./command.ts";
export type { ProgressTarget } from "../show/progress.ts";
export { processTerminal, type Terminal } from "../show/terminal.ts";

/** Every command. To add one, write a file and add a line here. */
export const COMMANDS: readonly Command[] = [
  finetuneCommand,
  evaluateCommand,
  generateCommand,
  chatCommand,
  quantizeCommand,
  inspectCommand,
  replayCommand,
  exportCommand,
  benchOptimisersCommand,
  doctorCommand,
  completionCommand(() => COMMANDS),
];

/** The terminal and signal of a command. Default: the streams of the process and no signal. */
export interface RunCliOptions {
  /** Where to print. Default: the streams of the process. */
  readonly terminal?: Terminal;
  /** Aborts the command. Default: none. */
  readonly signal?: AbortSignal;
  /** Lets a command handle Ctrl-C itself. Default: none. */
  readonly onInterrupt?: OnInterrupt;
}

/**
 * Runs a command line and returns its exit code. Never throws.
 *
 * @example A mistyped command
 * ```ts
 * import { processTerminal, runCli } from "@qzo/qzo/cli";
 * import { assertEquals } from "@std/assert";
 *
 * let noted = "";
 * const terminal = { ...processTerminal(), note: (line: string) => void (noted += line) };
 * assertEquals(await runCli(["fintune"], { terminal }), 1);
 * assertEquals(noted, 'Unknown command "fintune": did you mean "finetune"?');
 * ```
 */
export async function runCli(
  args: readonly string[],
  { terminal: given = processTerminal(), signal = new AbortController().signal, onInterrupt }:
    RunCliOptions = {},
): Promise<number> {
  const terminal = guarded(given);
  const verbose = args.includes("--verbose") || Boolean(Deno.env.get("QZO_DEBUG"));
  try {
    const [name, ...rest] = args;
    if (name === "--version" || name === "-V" || name === "version") {
      terminal.out(versionLine());
      return 0;
    }
    const all = rest.includes("all");
    if (name === undefined || ["help", "--help", "-h"].includes(name)) {
      const about = COMMANDS.find((it) => it.name === rest[0]);
      terminal.out(about ? commandHelp(about, all) : overview(COMMANDS));
      return 0;
    }
    const command = COMMANDS.find((it) => it.name === name);
    if (!command) throw unknownCommand(name);
    if (rest.some((arg) => arg === "--help" || arg === "-h")) {
      terminal.out(commandHelp(command, all));
      return 0;
    }
    const ownKeys = new Set(COMMANDS.flatMap(({ options }) => Object.keys(options)));
    const parsed = parseCommandArguments(rest, command, ownKeys);
    notes(terminal, parsed.notes);
    await command.run({ ...parsed, terminal, signal, onInterrupt });
    return signal.aborted ? 130 : 0;
  } catch (error) {
    if (signal.aborted && isAbort(error)) {
      terminal.note("Interrupted");
      return 130;
    }
    terminal.note(describeError(error, args[0], verbose));
    return 1;
  }
}

function unknownCommand(name: string): UsageError {
  const names = COMMANDS.map((it) => it.name);
  const [nearest] = nearestNames(name, names, 1);
  return new UsageError(
    `Unknown command ${JSON.stringify(name)}${
      nearest === undefined
        ? `: expected one of ${names.join(", ")}`
        : `: did you mean "${nearest}"?`
    }`,
  );
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** A one-line description of an error. An unknown system error at least names the command that failed. */
function describeError(given: unknown, command: string, verbose: boolean): string {
  const error = inWords(given, { what: command });
  if (!(error instanceof Error)) return message(String(error));
  if (verbose) return error.stack ?? `${error.name}: ${error.message}`;
  const line = message(error.message);
  return line === "" ? error.name : line;
}

/**
 * Milliseconds within which a second signal counts as the same key press, because a program such as `deno task` forwards a signal that its child
 * has also received.
 */
const SAME_PRESS = 300;

/** Milliseconds after which a command that has nothing to keep is ended. */
const PATIENCE = 700;

/**
 * The first signal asks the command to stop, and the second ends it at once. A command that has nothing to keep is also ended after some time. A
 * command that handles Ctrl-C itself receives it.
 */
function stopOnSignals(
  terminal: Terminal,
  finishes: boolean,
): { readonly signal: AbortSignal; readonly onInterrupt: OnInterrupt } {
  const controller = new AbortController();
  let first = -Infinity;
  let take: (() => boolean) | undefined;
  const end = () => {
    removeParts();
    Deno.exit(130);
  };
  const interrupt = () => {
    if (take === undefined) return stop();
    if (performance.now() - first < SAME_PRESS) return;
    first = performance.now();
    if (!take()) end();
  };
  const stop = () => {
    if (controller.signal.aborted) {
      if (performance.now() - first < SAME_PRESS) return;
      end();
    }
    first = performance.now();
    terminal.note(
      finishes
        ? "\nStopping after the work in flight; press Ctrl-C again to stop at once"
        : "\nStopping",
    );
    controller.abort();
    if (!finishes) setTimeout(end, PATIENCE);
  };
  Deno.addSignalListener("SIGINT", interrupt);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
  const onInterrupt: OnInterrupt = (own) => {
    take = own;
    return { [Symbol.dispose]: () => take = undefined };
  };
  return { signal: controller.signal, onInterrupt };
}

if (import.meta.main) {
  const terminal = processTerminal();
  const command = COMMANDS.find(({ name }) => name === Deno.args[0]);
  const signals = stopOnSignals(terminal, command?.finishes ?? false);
  Deno.exit(await runCli(Deno.args, { terminal, ...signals }));
}
