/**
 * What `deno task bench long` found, as a table.
 *
 * @module
 */

/** A state of a run. */
export interface LongRow {
  readonly optimiser: string;
  /** Steps before it. */
  readonly step: number;
  readonly forwards: number;
  /** Held out, in nats. */
  readonly loss: number;
  /** 0 to 1. */
  readonly accuracy: number | undefined;
  /** Mean training loss of the steps since the state before; 0 where there are none. */
  readonly training: number;
  readonly heldOut: number;
  readonly machine: string;
}

/** Where a run is looked at, up to its last step: by factors of about three, closer towards the end. */
const LOOKS = [0, 10, 30, 100, 200, 400, 1000, 2000, 3000, 4000, 6000, 8000];

/** Numbers of steps after which a run of so many is looked at. */
export function stepsLookedAt(last: number): number[] {
  return [...LOOKS.filter((step) => step < last), last];
}

/** The mean loss of steps after the first and up to the last, to five digits. */
export function binsOf(
  losses: readonly { readonly step: number; readonly loss: number }[],
  after: number,
  last: number,
): number {
  const some = losses.filter(({ step }) => step > after && step <= last);
  if (some.length === 0) return 0;
  return Number((some.reduce((sum, { loss }) => sum + loss, 0) / some.length).toFixed(5));
}

/** A row for each state. */
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
