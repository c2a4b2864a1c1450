/**
 * A fine-tune on disk, whether its ledger replays or its offsets are kept beside it.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { OffsetSet } from "../../kernels/mod.ts";
import { fingerprintLike } from "../../models/checkpoints/fingerprint.ts";
import { assertNotDisposed, type Model } from "../../models/inference/model.ts";
import { assertLedgerFits, type Ledger } from "../../optim/mod.ts";
import { assertAdapterFits } from "./ledger_adapter.ts";
import { openLedger } from "./ledger_file.ts";
import { replayLedger, type ReplayLedgerOptions, trainablesOf } from "./replay.ts";
import { StateFile } from "./state_file.ts";

/** A fine-tune that was read. */
export interface FineTune {
  /** Where its ledger lies. */
  readonly path: string;
  /** The ledger. */
  readonly ledger: Ledger;
  /** Steps that it has. */
  readonly length: number;
  /** The states that are kept where gradients were exact: the last, and the best if it is another. Undefined where the ledger replays. */
  readonly states?: readonly StateFile[];
}

/** The states beside a ledger. */
export function statePaths(ledger: string): { readonly last: string; readonly best: string } {
  const folder = dirname(ledger);
  return { last: join(folder, "run.state"), best: join(folder, "best.state") };
}

/**
 * Opens a fine-tune by the path of its ledger.
 *
 * @throws What reading the ledger or its states throws
 */
export async function openFineTune(path: string): Promise<FineTune> {
  const ledger = await openLedger(path);
  const { head, header, records } = ledger;
  if (!header.exact) return { path, ledger, length: records.length };
  const paths = statePaths(path);
  const last = await StateFile.open(paths.last, head);
  const best = await StateFile.open(paths.best, head);
  const states = [last, best].filter(({ step }, i) => step > 0 && (i === 0 || step !== last.step));
  return { path, ledger, length: last.step, states };
}

/** Steps after which there are offsets of a fine-tune by exact gradients, as a part of a sentence. */
export function stepsKept({ states = [] }: Pick<FineTune, "states">): string {
  const steps = states.map(({ step }) => step).toSorted((a, b) => a - b);
  return [0, ...steps].join(steps.length > 1 ? ", " : " and ");
}

/**
 * The offsets of a fine-tune after a number of steps, on the device, allocated: replayed, or read where gradients were exact.
 *
 * @throws {RangeError} When it belongs to another model, or there is no state of that step
 */
export async function offsetsAfter(
  model: Model,
  tune: FineTune,
  { steps = tune.length, ...options }: ReplayLedgerOptions = {},
): Promise<OffsetSet> {
  const { ledger: { header }, path, states } = tune;
  if (!states) return await replayLedger(model, tune.ledger, { ...options, steps });
  assertNotDisposed(model, "read a fine-tune");
  assertAdapterFits(header, model);
  const base = await fingerprintLike(header.model, model);
  assertLedgerFits(header, base, header.trainables);
  assertLedgerFits(header, base, trainablesOf(header, model.tensors));
  const state = states.find((one) => one.step === steps);
  if (!state && steps !== 0) {
    throw new RangeError(
      `Cannot use step ${steps} of "${path}": exact gradients are not replayed, and states are kept of steps ${
        stepsKept(tune)
      }`,
    );
  }
  const offsets = new OffsetSet(header.trainables, model.gpu.maxBinding).allocate(model.gpu);
  try {
    await state?.restore(model.gpu, offsets);
    return offsets;
  } catch (error) {
    offsets[Symbol.dispose]();
    throw error;
  }
}
