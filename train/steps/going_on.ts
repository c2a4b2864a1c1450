/**
 * Checks that a fine-tune can continue from the state of its ledger and offsets.
 *
 * @module
 */

import type { OffsetSet } from "../../kernels/mod.ts";
import { type BaseIdentity, fingerprintLike } from "../../models/checkpoints/fingerprint.ts";
import { describeDirections } from "../../optim/directions/direction_plan.ts";
import { assertAdapterFits } from "../ledgers/ledger_adapter.ts";
import { assertLedgerFits } from "../../optim/ledger/ledger_fits.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import { describeUpdateRule } from "../../optim/updates/update_rule.ts";
import type { LedgerFile } from "../ledgers/ledger_file.ts";

/**
 * The optimiser as its ledger replays it: the update rules of older ledgers do nothing in steps whose coefficients are all 0.
 */
export function asReplayed(optimiser: Optimiser, ledger: LedgerFile | undefined): Optimiser {
  const theirs = ledger?.head.update;
  if (!optimiser.update || !theirs) return optimiser;
  const restsAtZero = theirs.restsAtZero === true;
  return { ...optimiser, update: { ...optimiser.update, restsAtZero } };
}

/** Rejects continuing without the state that the steps so far have left. */
export function assertState(
  optimiser: Optimiser,
  offsets: OffsetSet,
  step: number,
  state: readonly number[] | undefined,
): void {
  const { stateSize } = optimiser.transformation;
  if (step > 0 && !state) {
    throw new TypeError(`Cannot continue from step ${step}: the chain's state is not given`);
  }
  if (step > 0 && optimiser.update && !offsets.hasMoments(optimiser.update)) {
    throw new TypeError(
      `Cannot continue from step ${step}: the offsets lack the state that ${optimiser.update.name} keeps with them; replay the ledger to get it`,
    );
  }
  if (state && state.length !== stateSize) {
    throw new TypeError(
      `Cannot continue from step ${step}: ${state.length} scalars of state given, but ${optimiser.name} has ${stateSize}`,
    );
  }
}

/** Rejects a ledger whose head would replay these steps differently. */
export async function assertWritable(
  { head: { header, plan, update } }: Pick<LedgerFile, "head">,
  { model, optimiser, offsets, seed }: {
    readonly model: BaseIdentity & Parameters<typeof assertAdapterFits>[1];
    readonly optimiser: Optimiser;
    readonly offsets: OffsetSet;
    readonly seed: number;
  },
): Promise<void> {
  assertAdapterFits(header, model);
  assertLedgerFits(header, await fingerprintLike(header.model, model), offsets.trainables);
  const [theirs, mine] = [plan, optimiser.plan].map((p) => JSON.stringify(describeDirections(p)));
  if (theirs !== mine) {
    throw new RangeError(
      `Cannot write to this ledger: it was started with directions ${theirs}, not ${mine}`,
    );
  }
  const [rule, myRule] = [update, optimiser.update].map((u) =>
    JSON.stringify(u && describeUpdateRule(u))
  );
  if (rule !== myRule) {
    throw new RangeError(
      `Cannot write to this ledger: it was started with the update rule ${rule}, not ${myRule}`,
    );
  }
  const ours = {
    seed,
    distribution: optimiser.distribution,
    projection: optimiser.projection,
    directions: optimiser.estimator.directions,
    stateSize: optimiser.transformation.stateSize,
  };
  for (const key of ["seed", "distribution", "projection", "directions", "stateSize"] as const) {
    if (header[key] !== ours[key]) {
      throw new RangeError(
        `Cannot write to this ledger: it was started with ${key} ${header[key]}, not ${ours[key]}`,
      );
    }
  }
}
