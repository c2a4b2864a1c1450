/**
 * Where the command line prints, and how: aligned text, colour only for people.
 *
 * @module
 */
import { ProgressLine, type ProgressTarget } from "./progress.ts";

/** Where a command prints. */
export interface Terminal {
  /** A line of results, to standard output. */
  out(line: string): void;
  /** Text as it is, to standard output. */
  write(text: string): void;
  /** A line about what is going on, to standard error. */
  note(line: string): void;
  /** Where progress is drawn. */
  readonly progress: ProgressTarget;
  /** All of standard input; undefined when it is a keyboard. */
  input(): Promise<string | undefined>;
  /** Makes text bold where colours are welcome. */
  bold(text: string): string;
}

/** The process's own standard streams. Colours: on a terminal, unless NO_COLOR is set. */
export function processTerminal(): Terminal {
  const encoder = new TextEncoder();
  const put = (stream: typeof Deno.stdout, text: string): void => {
    const bytes = encoder.encode(text);
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
  };
  const coloured = !Deno.noColor && Deno.stdout.isTerminal();
  return {
    out: (line) => put(Deno.stdout, `${line}\n`),
    write: (text) => put(Deno.stdout, text),
    note: (line) => put(Deno.stderr, `${line}\n`),
    progress: {
      write: (text) => put(Deno.stderr, text),
      columns: () => {
        if (!Deno.stderr.isTerminal()) return undefined;
        try {
          return Deno.consoleSize().columns;
        } catch {
          return 80;
        }
      },
    },
    input: async () =>
      Deno.stdin.isTerminal() ? undefined : await new Response(Deno.stdin.readable).text(),
    bold: (text) => coloured ? `\x1b[1m${text}\x1b[22m` : text,
  };
}

/** A progress line on a terminal. */
export function progressLine(terminal: Terminal): ProgressLine {
  return new ProgressLine(terminal.progress);
}

/** A short status that is drawn over the one before, on terminals only; `""` clears it. */
export function status(terminal: Terminal, text: string): void {
  const columns = terminal.progress.columns();
  if (columns !== undefined) {
    terminal.progress.write(`\r\x1b[K${text.slice(0, Math.max(0, columns - 1))}`);
  }
}

/** Sentences that a user should read once, to standard error. */
export function notes(terminal: Terminal, sentences: readonly string[] = []): void {
  for (const sentence of sentences) terminal.note(`note: ${sentence}`);
}

/** Rows as aligned columns: numbers to the right, texts to the left. */
export function table(rows: readonly (readonly (string | number)[])[]): string[] {
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
    terminal.out(`${terminal.bold(name.padEnd(width))}  ${value}`);
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
