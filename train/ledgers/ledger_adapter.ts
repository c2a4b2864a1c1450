/**
 * Compares the adapter of a ledger with that of a model, because steps along one adapter's tensors have no meaning for another.
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
 * Rejects a ledger that was written with an adapter other than the model's.
 *
 * @throws {RangeError} with the remedy.
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
 * The adapter that the model had when a ledger was written. Undefined if there was none.
 *
 * @param given An adapter with the values of its file, if the ledger started from a file.
 * @throws {RangeError} when its scheme is unknown, or the ledger started from a file that is not given.
 *
 * @example A ledger without an adapter
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
