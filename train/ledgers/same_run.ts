/**
 * Checks that a run is resumed with the settings that its ledger was started with.
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
 * Rejects settings other than those a ledger was started with, because the result would not be a single fine-tune.
 *
 * @throws {RangeError} naming the first difference.
 */
export function assertSameRun(
  { header: theirs }: Ledger,
  ours: LedgerHeader,
  path: string,
): void {
  // Another optimiser may have other trainables. Compare it first, so that the message names it and not its consequences.
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

/** The first difference of two JSON values, as text. */
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
