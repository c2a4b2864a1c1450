/**
 * The header of a fine-tune's ledger, from what is trained on what.
 *
 * @module
 */

import type { Trainable } from "../../kernels/mod.ts";
import { describeAdapter, type FittedAdapter } from "../../models/adapters/adapted.ts";
import type { BaseIdentity } from "../../models/checkpoints/fingerprint.ts";
import {
  type JsonValue,
  type LedgerHeader,
  NOISE_VERSION,
  type Optimiser,
  type UpdateRule,
} from "../../optim/mod.ts";
import { describeUpdateRule } from "../../optim/updates/update_rule.ts";
import { parseUpdateRule } from "../../optim/updates/update_rules.ts";

/** What a ledger is about. */
export interface LedgerSubject {
  /** The base, with the adapter beside it if there is one. */
  readonly model: Pick<BaseIdentity, "fingerprint"> & {
    readonly adapter?: Pick<FittedAdapter, "adapter"> | undefined;
  };
  /** How it moves. */
  readonly optimiser: Optimiser;
  /** What is trained. */
  readonly offsets: { readonly trainables: readonly Trainable[] };
  /** The master seed. Default 0. */
  readonly seed?: number;
  /** How the data were ordered; free to choose. Default null. */
  readonly data?: JsonValue;
}

/**
 * Refuses an update rule whose description is read as another: its ledger would replay to another model. What is no rule of this library
 * is refused where the header is encoded.
 */
function assertDescribed({ name, update }: Optimiser): void {
  if (!update) return;
  let read: UpdateRule;
  try {
    read = parseUpdateRule(JSON.parse(JSON.stringify(describeUpdateRule(update))));
  } catch {
    return;
  }
  const steps = [...Array(200).keys(), 1e3, 1e4, 1e5];
  const step = steps.find((at) =>
    update.inputs(at).some((value, i) => value !== read.inputs(at)[i])
  );
  if (step === undefined) return;
  throw new RangeError(
    `Cannot start a ledger for ${name}: from ${
      JSON.stringify(update.parameters)
    } its update rule would be read with [${read.inputs(step)}] at move ${step}, it has [${
      update.inputs(step)
    }]. Take a schedule of this library`,
  );
}

/**
 * The header to create a ledger with.
 *
 * @throws {RangeError} For an update rule that would be read as another
 */
export function ledgerHeader(
  { model, optimiser, offsets, seed = 0, data = null }: LedgerSubject,
): LedgerHeader {
  assertDescribed(optimiser);
  return {
    model: model.fingerprint,
    trainables: offsets.trainables,
    optimiser: optimiser.describe(),
    seed,
    distribution: optimiser.distribution,
    projection: optimiser.projection,
    noiseVersion: NOISE_VERSION,
    directions: optimiser.estimator.directions,
    stateSize: optimiser.transformation.stateSize,
    ...(optimiser.update && optimiser.update.stateSize > 0 && !optimiser.update.restsAtZero
      ? { zeros: "move" }
      : {}),
    ...(model.adapter ? { adapter: describeAdapter(model.adapter.adapter) } : {}),
    ...(optimiser.estimator.exact ? { exact: true } : {}),
    data,
    created: new Date().toISOString(),
  };
}

/**
 * Refuses to write records of what could not be made again.
 *
 * @throws {TypeError} When the optimiser takes exact gradients
 */
export function assertReplayable({ name, estimator }: Optimiser): void {
  if (!estimator.exact) return;
  throw new TypeError(
    `Cannot write steps of ${name} into a ledger: no seed says what its gradients were, so none can be replayed; give a \`stateFile\` in place of \`ledger\`, or keep the offsets yourself, such as by exportTuned`,
  );
}
