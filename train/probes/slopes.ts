/**
 * Measures how steep the loss is along parts of a model, with forward passes alone.
 *
 * @module
 */

import type { OffsetSet } from "../../kernels/mod.ts";
import type { Optimiser } from "../../optim/mod.ts";
import type { PackedBatch } from "../../models/batch.ts";
import type { Model } from "../../models/inference/model.ts";
import { Trainer } from "../steps/trainer.ts";

/** Options of {@linkcode squaredSlopes}. */
export interface SlopesOptions {
  /** What the slopes are for, as part of error messages. */
  readonly what: string;
  /** Seed of the directions. Default 0. */
  readonly seed?: number | undefined;
  /** Aborts between two batches. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch with the number of batches done and their total. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * For each block, the mean square over batches of the derivative along directions within that block. Offsets are not changed.
 *
 * @param probe An optimiser that perturbs all blocks in each step (the order `"all"`), with a learning rate of 0.
 * @param offsets The offsets to perturb, allocated.
 * @throws {RangeError} when a loss is not finite.
 */
export async function squaredSlopes(
  model: Model,
  probe: Optimiser,
  offsets: OffsetSet,
  batches: readonly PackedBatch[],
  { what, seed = 0, signal, onProgress }: SlopesOptions,
): Promise<number[]> {
  const { estimator: { directions }, plan: { blocks } } = probe;
  const count = blocks!.count;
  const squares = new Array<number>(count).fill(0);
  using trainer = new Trainer(model, probe, offsets, { seed, capacity: 1 });
  for (const [index, batch] of batches.entries()) {
    signal?.throwIfAborted();
    await trainer.enqueueInTurns(index, batch);
    const [{ halted, derivatives }] = await trainer.drain();
    if (halted) throw new RangeError(`Cannot find ${what}: a loss is not finite`);
    // Direction q perturbs block q modulo the number of blocks.
    derivatives.forEach((d, q) => squares[q % count] += d * d * count / directions);
    onProgress?.(index + 1, batches.length);
  }
  return squares.map((square) => square / batches.length);
}
