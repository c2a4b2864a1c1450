/**
 * Where the command line prints, and how: aligned text, colour only for people.
 *
 * @module
 */
import { message, printable, shortName } from "./printable.ts";
import { isDumb, ProgressLine, type ProgressTarget, terminalColumns } from "./progress.ts";

/** Where a command prints. */
export interface Terminal {
  /** A line of results, to standard output; its first `bold` characters stand out where colours are welcome. */
  out(line: string, bold?: number): void;
  /** Text as it is, to standard output. */
  write(text: string): void;
  /** A line about what is going on, to standard error. */
  note(line: string): void;
  /** Where progress is drawn. */
  readonly progress: ProgressTarget;
  /** All of standard input; undefined when it is a keyboard. */
  input(): Promise<string | undefined>;
  /** Lines of standard input as they come; a terminal without has none. */
  lines?(): AsyncIterable<string>;
  /** Whether standard input is a keyboard. Default false. */
  readonly keyboard?: boolean;
}

/**
 * A terminal that shows control characters and marks of direction by their numbers, whatever they come from: names in a file, its data,
 * generated text. Everything that commands print passes here.
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

/** The process's own standard streams. Colours: on a terminal, unless NO_COLOR is set. */
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

/** Lines of standard input, without their ends. */
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

/** How often a status is a plain line where there is no terminal, in milliseconds. */
const PLAIN_EVERY = 5000;

const plainLines = new WeakMap<ProgressTarget, number>();

/**
 * A short status that is drawn over the one before; `""` clears it. Where there is no terminal it is a plain line every five seconds, so
 * that what is over sooner prints nothing.
 *
 * @param now Milliseconds; a test brings its own
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

/** A status that is worth a line at once also where there is no terminal: what may take minutes begins. */
export function begun(terminal: Terminal, text: string): void {
  if (terminal.progress.columns() === undefined) terminal.note(text);
  else status(terminal, text);
}

/** Sentences that a user should read once, to standard error. */
export function notes(terminal: Terminal, sentences: readonly string[] = []): void {
  for (const sentence of sentences) terminal.note(`note: ${message(sentence)}`);
}

// Summaries of commands are longer than any name.
const LONGEST_CELL = 600;

/** Rows as aligned columns: numbers to the right, texts to the left. */
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

/** Prints names and what they are, one pair a line. */
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

/** A share as per cent with one digit. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
