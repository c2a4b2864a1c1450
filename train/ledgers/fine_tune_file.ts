/**
 * A fine-tune on disk, whether its ledger can be replayed or its offsets are stored separately.
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

/** A fine-tune as read from disk. */
export interface FineTune {
  /** Path of its ledger. */
  readonly path: string;
  /** The ledger. */
  readonly ledger: Ledger;
  /** Number of steps. */
  readonly length: number;
  /** The stored states, if gradients were exact: the last one, and the best one if it differs. Undefined if the ledger can be replayed. */
  readonly states?: readonly StateFile[];
}

/** The paths of the states stored next to a ledger. */
export function statePaths(ledger: string): { readonly last: string; readonly best: string } {
  const folder = dirname(ledger);
  return { last: join(folder, "run.state"), best: join(folder, "best.state") };
}

/**
 * Opens a fine-tune by the path of its ledger.
 *
 * @throws Any error of reading the ledger or its states.
 *
 * @example A fine-tune without steps
 * ```ts
 * import { qzo } from "@qzo/qzo/optim";
 * import { LedgerFile, openFineTune } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const shape = { count: 4, form: "absolute", span: 1, rows: 1, columns: 4 } as const;
 * const offsets = { trainables: [{ name: "gain", id: 1, ...shape }] };
 * const folder = await Deno.makeTempDir();
 * const path = `${folder}/run.ledger`;
 * const subject = { model: { fingerprint: `2:${"0".repeat(64)}` }, optimiser: qzo(), offsets };
 * (await LedgerFile.create(path, subject))[Symbol.dispose]();
 * assertEquals((await openFineTune(path)).length, 0);
 * await Deno.remove(folder, { recursive: true });
 * ```
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

/** The steps for which a fine-tune by exact gradients has stored offsets, as part of a sentence. */
export function stepsKept({ states = [] }: Pick<FineTune, "states">): string {
  const steps = states.map(({ step }) => step).toSorted((a, b) => a - b);
  return [0, ...steps].join(steps.length > 1 ? ", " : " and ");
}

/**
 * The offsets of a fine-tune after a number of steps, on the device, allocated. They are replayed or, if gradients were exact, read from a
 * stored state.
 *
 * @throws {RangeError} when it belongs to another model, or no state of that step is stored.
 *
 * @example The model after the first of two steps
 * ```ts
 * import { qzo } from "@qzo/qzo/optim";
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { loadModel, openModelSource, quantizedSource } from "@qzo/qzo/models";
 * import { LedgerFile, offsetsAfter, openFineTune, planOffsets } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * using model = await loadModel(gpu, source);
 * const optimiser = qzo();
 * const folder = await Deno.makeTempDir();
 * {
 *   const offsets = planOffsets(model, optimiser, gpu.maxBinding);
 *   using ledger = await LedgerFile.create(`${folder}/run.ledger`, { model, optimiser, offsets });
 *   await ledger.append([2 ** -20, -(2 ** -20)].map((one) => ({ coefficients: [one], state: [] })));
 * }
 * const tune = await openFineTune(`${folder}/run.ledger`);
 * using offsets = await offsetsAfter(model, tune, { steps: 1 });
 * assertEquals([tune.length, offsets.scalars], [2, 13824]);
 * await Deno.remove(folder, { recursive: true });
 * ```
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
      `Cannot use step ${steps} of "${path}": exact gradients cannot be replayed, and offsets were saved only for steps ${
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
