/**
 * Runs that write a ledger, are broken off and resumed from its file.
 *
 * @module
 */
import type { OffsetSet } from "../../kernels/mod.ts";
import type { Model } from "../../models/mod.ts";
import type { Ledger, Optimiser } from "../../optim/mod.ts";
import { LedgerFile, offsetsFor, openLedger, replayLedger } from "../../train/mod.ts";
import type { Selection } from "../../train/selection.ts";
import { allScales, bitsOf, tinyHeader } from "./tiny_model.ts";

/** What a fine-tune takes that begins where a ledger ends. */
export interface Resumed {
  readonly model: Model;
  readonly optimiser: Optimiser;
  readonly offsets: OffsetSet;
  readonly seed: number;
  readonly ledger: LedgerFile;
  /** The optimiser's; left out before the first step. */
  readonly state?: readonly number[];
  /** The last step of this part of the run. */
  readonly steps: number;
}

/** How a run ended. */
export interface LedgerRun {
  /** Bits of the offsets by name. */
  readonly bits: Record<string, Uint32Array>;
  readonly ledger: Ledger;
  /** Of the ledger's file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A run of `optimiser` over a selection, by default all scales, broken off after each of `stops` but the last; `finetune` makes the steps of a part. */
export async function ledgerRun(
  model: Model,
  optimiser: Optimiser,
  stops: readonly number[],
  finetune: (resumed: Resumed) => AsyncIterable<unknown>,
  selection: Selection = allScales,
): Promise<LedgerRun> {
  const seed = 5;
  const path = await Deno.makeTempFile({ suffix: ".ledger" });
  await Deno.remove(path);
  {
    using offsets = await offsetsFor(model, optimiser, { selection });
    using _new = await LedgerFile.create(path, tinyHeader(model, optimiser, offsets, seed));
  }
  let bits: Record<string, Uint32Array> = {};
  for (const steps of stops) {
    const { file, ledger } = await LedgerFile.resume(path);
    using open = file;
    using offsets = await replayLedger(model, ledger);
    const state = open.length > 0 ? ledger.records.state(open.length - 1) : undefined;
    const resumed = { model, optimiser, offsets, seed, steps, ledger: open };
    for await (const _ of finetune({ ...resumed, ...(state ? { state } : {}) }));
    bits = bitsOf(await offsets.read(model.gpu));
  }
  const ledger = await openLedger(path);
  const bytes = await Deno.readFile(path);
  await Deno.remove(path);
  return { bits, ledger, bytes };
}
