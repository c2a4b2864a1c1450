/**
 * Whether a run that is gone on with is the one that its ledger was begun with.
 *
 * @module
 */
import {
  assertLedgerFits,
  type JsonValue,
  type Ledger,
  type LedgerHeader,
} from "../../optim/mod.ts";

/**
 * Refuses to go on with other settings than those a ledger was begun with: it would no longer be one fine-tune.
 *
 * @throws {RangeError} That names the first difference
 */
export function assertSameRun(
  { header: theirs }: Ledger,
  ours: LedgerHeader,
  path: string,
): void {
  // Another optimiser may train others: it is named, not what follows from it.
  assertLedgerFits(theirs, ours.model, theirs.trainables);
  for (const key of ["seed", "optimiser", "adapter"] as const) {
    const [then, now] = [JSON.stringify(theirs[key]), JSON.stringify(ours[key])];
    if (then !== now) {
      throw new RangeError(
        `Cannot resume "${path}": it was started with ${key} ${
          difference(theirs[key] ?? null, ours[key] ?? null)
        }`,
      );
    }
  }
  assertLedgerFits(theirs, ours.model, ours.trainables);
}

/** The first difference of two JSON values, in words. */
function difference(then: JsonValue, now: JsonValue): string {
  if (isFields(then) && isFields(now)) {
    for (const key of new Set([...Object.keys(then), ...Object.keys(now)])) {
      if (JSON.stringify(then[key]) !== JSON.stringify(now[key])) {
        return `${key} ${difference(then[key] ?? null, now[key] ?? null)}`;
      }
    }
  }
  return `${JSON.stringify(then)}, not ${JSON.stringify(now)}`;
}

function isFields(value: JsonValue): value is Readonly<Record<string, JsonValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
