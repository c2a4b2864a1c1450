/**
 * The results of `deno task bench long`, as a table.
 *
 * @module
 */

/** A state of a run. */
export interface LongRow {
  readonly optimiser: string;
  /** Number of steps before it. */
  readonly step: number;
  readonly forwards: number;
  /** Held-out loss in nats. */
  readonly loss: number;
  /** Held-out accuracy from 0 to 1. */
  readonly accuracy: number | undefined;
  /** Mean training loss of the steps since the previous state. 0 if there are none. */
  readonly training: number;
  readonly heldOut: number;
  readonly machine: string;
}

/** Numbers of steps after which a run is evaluated: increasing by factors of about three, more closely towards the end. */
const LOOKS = [0, 10, 30, 100, 200, 400, 1000, 2000, 3000, 4000, 6000, 8000];

/** Numbers of steps after which a run of `last` steps is evaluated. */
export function stepsLookedAt(last: number): number[] {
  return [...LOOKS.filter((step) => step < last), last];
}

/** Mean loss of the steps after `after` and up to `last`, rounded to five decimal places. */
export function binsOf(
  losses: readonly { readonly step: number; readonly loss: number }[],
  after: number,
  last: number,
): number {
  const some = losses.filter(({ step }) => step > after && step <= last);
  if (some.length === 0) return 0;
  return Number((some.reduce((sum, { loss }) => sum + loss, 0) / some.length).toFixed(5));
}

/** The table, with one row per state. */
export function longTable(
  rows: readonly LongRow[],
  { batch }: { readonly batch: number },
): string {
  const optimisers = [...new Set(rows.map(({ optimiser }) => optimiser))];
  const lines = optimisers.flatMap((optimiser) => {
    const own = rows.filter((row) => row.optimiser === optimiser).sort((a, b) => a.step - b.step);
    return own.map((row) =>
      `| ${optimiser} | ${row.step} | ${row.forwards} | ${row.forwards * batch} | ${
        row.loss.toFixed(3)
      } | ${row.accuracy === undefined ? "" : (100 * row.accuracy).toFixed(1)} | ${
        row.step === 0 ? "" : row.training.toFixed(3)
      } |`
    );
  });
  return [
    "| optimiser | steps | forwards | examples seen by a forward | held-out loss | accuracy, % | training loss since the row above |",
    "|---|---|---|---|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}
