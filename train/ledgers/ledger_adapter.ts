/**
 * The adapter of a ledger and that of a model: steps along one adapter's tensors mean nothing beside another.
 *
 * @module
 */

import {
  describedAdapter,
  type FittedAdapter,
  isDescribed,
} from "../../models/adapters/adapted.ts";
import type { Adapter } from "../../models/adapters/scheme.ts";
import type { LedgerHeader } from "../../optim/mod.ts";

/**
 * Refuses a ledger that was written with another adapter beside the base than the model's.
 *
 * @throws {RangeError} That says what to do
 */
export function assertAdapterFits(
  { adapter: theirs }: Pick<LedgerHeader, "adapter">,
  { adapter: ours }: { readonly adapter?: Pick<FittedAdapter, "adapter"> | undefined },
): void {
  if (isDescribed(ours?.adapter, theirs)) return;
  const refuse = (why: string) => new RangeError(`Cannot use ledger: ${why}`);
  if (theirs === undefined) {
    throw refuse(
      "it was written for the base alone, but the model has an adapter: use the base model, to which the adapter was added",
    );
  }
  throw refuse(
    ours
      ? "the model's adapter is not the one that was trained"
      : "it includes an adapter: add it to the model first, with model.withAdapter(adapterOfLedger(ledger))",
  );
}

/**
 * The adapter that stood beside the base when a ledger was written; undefined where there was none.
 *
 * @param given One with the values of its file, where the ledger began from one
 * @throws {RangeError} When its scheme is not known, or it began from a file that is not given
 *
 * @example None
 * ```ts
 * import { adapterOfLedger } from "@qzo/qzo/train";
 * import { readLedger } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const ledger = readLedger(await Deno.readFile("tests/fixtures/ledgers/qzo.ledger"));
 * assertEquals(adapterOfLedger(ledger), undefined);
 * ```
 */
export function adapterOfLedger(
  { header: { adapter } }: { readonly header: Pick<LedgerHeader, "adapter"> },
  given?: Adapter,
): Adapter | undefined {
  return adapter === undefined ? undefined : describedAdapter(adapter, given);
}
