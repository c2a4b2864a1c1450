/**
 * Creates the header of a fine-tune's ledger.
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

/** The properties of a fine-tune that its ledger records. */
export interface LedgerSubject {
  /** The base model, with its adapter if there is one. */
  readonly model: Pick<BaseIdentity, "fingerprint"> & {
    readonly adapter?: Pick<FittedAdapter, "adapter"> | undefined;
  };
  /** The optimiser. */
  readonly optimiser: Optimiser;
  /** The trained parameters. */
  readonly offsets: { readonly trainables: readonly Trainable[] };
  /** The master seed. Default 0. */
  readonly seed?: number;
  /** A description of how the data were ordered, in any form. Default null. */
  readonly data?: JsonValue;
}

/**
 * Rejects an update rule whose description would be read as a different rule, because its ledger would replay to different values. A rule that
 * this library does not know is rejected when the header is encoded.
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
    } its update rule would be read back with [${read.inputs(step)}] at move ${step}, but it has [${
      update.inputs(step)
    }]. Use a schedule of this library`,
  );
}

/**
 * Creates the header of a ledger.
 *
 * @throws {RangeError} for an update rule that would be read as a different one.
 *
 * @example What a ledger says of a fine-tune
 * ```ts
 * import { ledgerHeader, qzo } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * const shape = { count: 4, form: "absolute", span: 1, rows: 1, columns: 4 } as const;
 * const offsets = { trainables: [{ name: "gain", id: 1, ...shape }] };
 * const model = { fingerprint: `2:${"0".repeat(64)}` };
 * const header = ledgerHeader({ model, optimiser: qzo(), offsets, seed: 7, data: { order: "epochs" } });
 * assertEquals([header.seed, header.directions], [7, 1]);
 * ```
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
 * Rejects optimisers whose steps cannot be replayed from records.
 *
 * @throws {TypeError} when the optimiser takes exact gradients.
 */
export function assertReplayable({ name, estimator }: Optimiser): void {
  if (!estimator.exact) return;
  throw new TypeError(
    `Cannot write steps of ${name} to a ledger: exact gradients cannot be replayed from seeds; give a \`stateFile\` instead of \`ledger\`, or save the offsets yourself, for example with exportTuned`,
  );
}
