/**
 * A one-line progress bar, redrawn in place on a terminal, and printed occasionally as a plain line elsewhere.
 *
 * @module
 */

import { printable } from "./printable.ts";

/** The current state of a run. */
export interface ProgressState {
  /** Number of steps done. */
  readonly step: number;
  /** Total number of steps. */
  readonly total: number;
  /** Seconds taken by the steps since `countedFrom`. 0 while unknown, as before the first step has been compiled and run. */
  readonly seconds: number;
  /** The step from which `seconds` are counted. Default 0. */
  readonly countedFrom?: number;
  /** Seconds to be spent on something other than steps, such as evaluations to come. Default 0. */
  readonly secondsBeside?: number;
  /** Which of several runs it is, in a few words. */
  readonly run?: string;
  /** Seconds since the line was started, including everything; {@linkcode ProgressLine} counts them. Shown from 1 on. */
  readonly elapsed?: number;
  /** Training loss, smoothed or not. */
  readonly loss?: number;
  /** Accuracy on the held-out examples, from 0 to 1. */
  readonly accuracy?: number;
  /** Mean number of tokens processed per second. Shown once some time has passed. */
  readonly tokensPerSecond?: number;
  /** GPU memory in bytes. */
  readonly memory?: number;
}

const shortestBar = 8;
const longestBar = 30;

/**
 * The line for a state, at most `width` columns wide. If space is short, the bar is dropped first, then fields from the right; the steps and the
 * remaining time are kept longest.
 *
 * @example Halfway through a run
 * ```ts
 * import { renderProgress } from "./progress.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   renderProgress({ step: 50, total: 100, seconds: 5, loss: 0.6931 }, 50),
 *   "██████████░░░░░░░░░░  50/100  loss 0.693  5 s left",
 * );
 * ```
 */
export function renderProgress(state: ProgressState, width: number): string {
  const fields = progressFields(state);
  while (fields.length > 2 && columns(fields) > width) fields.splice(-2, 1);
  if (columns(fields) > width) fields.length = 1;
  const room = Math.min(longestBar, width - columns(fields) - 2);
  const line = room < shortestBar ? fields : [bar(share(state), room), ...fields];
  return line.join("  ").slice(0, Math.max(0, width));
}

/** The known numbers as text: steps, loss, accuracy, time, speed, memory, remaining time. */
function progressFields(state: ProgressState): string[] {
  const fields = [`${state.step}/${state.total}`];
  if (state.run !== undefined) fields.push(state.run);
  if (state.loss !== undefined) fields.push(`loss ${threeDigits(state.loss)}`);
  if (state.accuracy !== undefined) {
    fields.push(`held-out accuracy ${(100 * state.accuracy).toFixed(1)} %`);
  }
  if (state.elapsed !== undefined && state.elapsed >= 1) {
    fields.push(`${formatSeconds(Math.floor(state.elapsed))} elapsed`);
  }
  if (state.tokensPerSecond !== undefined && state.seconds > 0) {
    fields.push(`${Math.round(state.tokensPerSecond)} tokens/s`);
  }
  if (state.memory !== undefined) fields.push(`${formatBytes(state.memory)} GPU memory`);
  const left = secondsLeft(state);
  if (left !== undefined) fields.push(`${formatSeconds(left)} left`);
  return fields;
}

function columns(fields: readonly string[]): number {
  return fields.join("  ").length;
}

function share({ step, total }: ProgressState): number {
  return total > 0 ? Math.min(1, Math.max(0, step / total)) : 1;
}

function bar(done: number, length: number): string {
  const full = Math.round(done * length);
  return "█".repeat(full) + "░".repeat(length - full);
}

function secondsLeft(
  { step, total, seconds, countedFrom = 0, secondsBeside = 0 }: ProgressState,
): number | undefined {
  const done = step - countedFrom;
  if (done <= 0 || seconds <= 0 || step >= total) return undefined;
  return (total - step) * seconds / done + secondsBeside;
}

function threeDigits(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Seconds as `12 s`, `3 min 05 s` or `2 h 05 min`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const pad = (value: number): string => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor(whole / 60) % 60)} min`;
}

/** Bytes in decimal units, as is usual for the memory sizes of models: `512 B`, `1.5 MB`, `4.3 GB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

/** Where a {@linkcode ProgressLine} draws. Default: standard error, so that output can be piped. */
export interface ProgressTarget {
  /** Writes text unchanged, including control characters. */
  write(text: string): void;
  /** Number of columns of the terminal. Undefined if there is none. */
  columns(): number | undefined;
}

function standardError(): ProgressTarget {
  const encoder = new TextEncoder();
  return {
    write: (text) => {
      Deno.stderr.writeSync(encoder.encode(text));
    },
    columns: terminalColumns,
  };
}

/** Number of columns of the terminal at standard error. Undefined if there is none, or if it cannot redraw a line (`TERM=dumb`). */
export function terminalColumns(): number | undefined {
  if (!Deno.stderr.isTerminal() || isDumb()) return undefined;
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80; // a terminal that does not tell its size
  }
}

/** Whether the terminal supports neither cursor positions nor colours. */
export function isDumb(): boolean {
  try {
    return Deno.env.get("TERM") === "dumb";
  } catch {
    return false; // without the right to know
  }
}

const redrawAfter = 100;
const plainLineAfter = 10_000;
const plainWidth = 160;

/**
 * Shows the states of a run on a target. On a terminal, it redraws the line at most ten times a second. Elsewhere, it prints a plain line every
 * ten seconds and for the last step. Dispose it to leave the terminal on a new line.
 *
 * @example As plain lines
 * ```ts
 * import { ProgressLine } from "./progress.ts";
 * import { assertEquals } from "@std/assert";
 *
 * let written = "";
 * {
 *   using line = new ProgressLine({ write: (text) => written += text, columns: () => undefined });
 *   line.show({ step: 1, total: 2, seconds: 1 });
 *   line.show({ step: 2, total: 2, seconds: 2 });
 * }
 * assertEquals(written, "1/2  1 s left\n2/2\n");
 * ```
 */
export class ProgressLine implements Disposable {
  readonly #target: ProgressTarget;
  readonly #now: () => number;
  readonly #begun: number;
  #shownAt = -Infinity;
  #drawn = "";

  /** `now` is a clock in milliseconds, which tests can replace. */
  constructor(
    target: ProgressTarget = standardError(),
    now: () => number = () => performance.now(),
  ) {
    this.#target = target;
    this.#now = now;
    this.#begun = now();
  }

  /** Shows a state, unless one was shown just before. The last step is always shown. */
  show(given: ProgressState): void {
    const now = this.#now();
    const state = { elapsed: (now - this.#begun) / 1000, ...given };
    const columns = this.#target.columns();
    const last = state.step >= state.total;
    const pause = columns === undefined ? plainLineAfter : redrawAfter;
    if (!last && now - this.#shownAt < pause) return;
    this.#shownAt = now;
    if (columns === undefined) {
      this.#target.write(`${progressFields(state).join("  ").slice(0, plainWidth)}\n`);
      return;
    }
    // The last column stays free, because some terminals wrap when it is written. Two more are for the ^C that they show.
    this.#drawn = renderProgress(state, columns - 3);
    this.#target.write(`\r\x1b[K${this.#drawn}`);
  }

  /** Prints a line above the bar. */
  log(message: string): void {
    const line = printable(message);
    if (this.#drawn === "") this.#target.write(`${line}\n`);
    else this.#target.write(`\r\x1b[K${line}\n${this.#drawn}`);
  }

  /** Ends the line. */
  [Symbol.dispose](): void {
    if (this.#drawn !== "") this.#target.write("\n");
    this.#drawn = "";
  }
}
