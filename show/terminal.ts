/**
 * Output of the command line: aligned text, with colour only on terminals.
 *
 * @module
 */
import { message, printable, shortName } from "./printable.ts";
import { isDumb, ProgressLine, type ProgressTarget, terminalColumns } from "./progress.ts";

/** Where a command prints. */
export interface Terminal {
  /** Prints a line of results to standard output. Its first `bold` characters are emphasised if colours are enabled. */
  out(line: string, bold?: number): void;
  /** Prints text unchanged to standard output. */
  write(text: string): void;
  /** Prints a line about the state of the command to standard error. */
  note(line: string): void;
  /** Where progress is drawn. */
  readonly progress: ProgressTarget;
  /** All of standard input. Undefined if it is a keyboard. */
  input(): Promise<string | undefined>;
  /** Lines of standard input as they arrive. Absent if the terminal provides none. */
  lines?(): AsyncIterable<string>;
  /** Whether standard input is a keyboard. Default false. */
  readonly keyboard?: boolean;
}

/**
 * A terminal that escapes control characters and marks of text direction, whatever their origin: names in a file, its data, or generated text.
 * All output of commands passes through it.
 */
export function guarded(terminal: Terminal): Terminal {
  return {
    out: (line, bold) => terminal.out(printable(line), bold),
    write: (text) => terminal.write(printable(text)),
    note: (line) => terminal.note(printable(line)),
    progress: terminal.progress,
    input: () => terminal.input(),
    ...(terminal.lines ? { lines: () => terminal.lines!() } : {}),
    keyboard: terminal.keyboard ?? false,
  };
}

/**
 * The standard streams of the process. Colours are used on a terminal, unless NO_COLOR is set.
 *
 * @example Collect the output of a command
 * ```ts
 * import { processTerminal, runCli } from "@qzo/qzo/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const terminal = { ...processTerminal(), out: (line: string) => void lines.push(line) };
 * assertEquals(await runCli(["--version"], { terminal }), 0);
 * assertEquals(lines[0].split(" ")[0], "qzo");
 * ```
 */
export function processTerminal(): Terminal {
  const encoder = new TextEncoder();
  const put = (stream: typeof Deno.stdout, text: string): void => {
    const bytes = encoder.encode(text);
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
  };
  const coloured = !Deno.noColor && Deno.stdout.isTerminal() && !isDumb();
  return {
    out: (line, bold = 0) =>
      put(
        Deno.stdout,
        coloured && bold > 0
          ? `\x1b[1m${line.slice(0, bold)}\x1b[22m${line.slice(bold)}\n`
          : `${line}\n`,
      ),
    write: (text) => put(Deno.stdout, text),
    note: (line) => put(Deno.stderr, `${line}\n`),
    progress: {
      write: (text) => put(Deno.stderr, text),
      columns: terminalColumns,
    },
    input: async () =>
      Deno.stdin.isTerminal() ? undefined : await new Response(Deno.stdin.readable).text(),
    lines: standardLines,
    keyboard: Deno.stdin.isTerminal(),
  };
}

/** Lines of standard input, without line ends. */
async function* standardLines(): AsyncGenerator<string> {
  let held = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (held + text).split(/\r?\n/);
    held = lines.pop() ?? "";
    yield* lines;
  }
  if (held !== "") yield held;
}

/** A progress line on a terminal. */
export function progressLine(terminal: Terminal): ProgressLine {
  return new ProgressLine(terminal.progress);
}

/** Milliseconds between plain status lines if there is no terminal. */
const PLAIN_EVERY = 5000;

const plainLines = new WeakMap<ProgressTarget, number>();

/**
 * Shows a short status that replaces the previous one; `""` clears it. Without a terminal, a plain line is printed every five seconds, so that
 * short operations print nothing.
 *
 * @param now Clock in milliseconds, which tests can replace.
 */
export function status(terminal: Terminal, text: string, now: number = performance.now()): void {
  const { progress } = terminal;
  const columns = progress.columns();
  if (columns !== undefined) {
    progress.write(`\r\x1b[K${printable(text).slice(0, Math.max(0, columns - 1))}`);
    return;
  }
  const last = plainLines.get(progress);
  if (text === "") plainLines.delete(progress);
  else if (last === undefined) plainLines.set(progress, now);
  else if (now - last >= PLAIN_EVERY) {
    plainLines.set(progress, now);
    progress.write(`${printable(text)}\n`);
  }
}

/** Shows a status that is printed at once even without a terminal, because something that may take minutes begins. */
export function begun(terminal: Terminal, text: string): void {
  if (terminal.progress.columns() === undefined) terminal.note(text);
  else status(terminal, text);
}

/** Prints sentences for the user to standard error. */
export function notes(terminal: Terminal, sentences: readonly string[] = []): void {
  for (const sentence of sentences) terminal.note(`note: ${message(sentence)}`);
}

// Longer than any name, because summaries of commands are cells too.
const LONGEST_CELL = 600;

/** Formats rows as aligned columns, numbers to the right and text to the left. */
export function table(given: readonly (readonly (string | number)[])[]): string[] {
  const rows = given.map((row) =>
    row.map((cell) => typeof cell === "number" ? cell : shortName(printable(cell), LONGEST_CELL))
  );
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, String(cell).length));
  }
  return rows.map((row) =>
    row.map((cell, i) =>
      typeof cell === "number" ? String(cell).padStart(widths[i]) : cell.padEnd(widths[i])
    ).join("  ").trimEnd()
  );
}

/** Prints names and their values, one pair per line. */
export function facts(
  terminal: Terminal,
  pairs: readonly (readonly [string, string] | undefined)[],
): void {
  const shown = pairs.filter((pair) => pair !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  for (const [name, value] of shown) {
    terminal.out(`${name.padEnd(width)}  ${value}`, width);
  }
}

/** A number with commas between thousands. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** A fraction as a percentage with one decimal place. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
