/**
 * The header of a fine-tune's ledger, from what is trained on what.
 *
 * @module
 */

import type { Trainable } from "../kernels/mod.ts";
import type { BaseIdentity } from "../models/fingerprint.ts";
import { type JsonValue, type LedgerHeader, NOISE_VERSION, type Optimiser } from "../optim/mod.ts";

/** What a ledger is about. */
export interface LedgerSubject {
  /** The base. */
  readonly model: Pick<BaseIdentity, "fingerprint">;
  /** How it moves. */
  readonly optimiser: Optimiser;
  /** What is trained. */
  readonly offsets: { readonly trainables: readonly Trainable[] };
  /** The master seed. Default 0. */
  readonly seed?: number;
  /** How the data were ordered; free to choose. Default null. */
  readonly data?: JsonValue;
}

/** The header to create a ledger with. */
export function ledgerHeader(
  { model, optimiser, offsets, seed = 0, data = null }: LedgerSubject,
): LedgerHeader {
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
    data,
    created: new Date().toISOString(),
  };
}
