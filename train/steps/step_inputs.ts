/**
 * The inputs written for each training step, and their positions.
 *
 * @module
 */

import { batchLayout, type BatchShape, type OffsetSet } from "../../kernels/mod.ts";
import { turnsOf } from "../../optim/directions/structures.ts";
import { type DirectionPlan, isPlain, moveSeeds } from "../../optim/directions/direction_plan.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import { hostScalarCount, hostSide } from "../../optim/steps/scalar_program.ts";
import type { Seed } from "../../optim/directions/seed.ts";
import { reached } from "../../optim/group.ts";
import { ratedInputs, updateInputs } from "../../optim/updates/update_rule.ts";
import type { PackedBatch } from "../../models/batch.ts";

/** Byte offsets of a step's inputs in its single buffer. Bindings start at multiples of 256. */
export interface InputLayout {
  /** Seeds and amplitudes: one table for all tensors, or one for each block, `tableBytes` apart, followed by one for the tensors in no block. */
  readonly branches: number;
  /** Bytes per table of seeds and amplitudes. A table covers all passes, `passBytes` apart. */
  readonly tableBytes: number;
  /** Bytes for the seeds and amplitudes of one pass. */
  readonly passBytes: number;
  /** Branches per pass. The last pass may have fewer. */
  readonly perPass: number;
  /** Branches that are part of every pass: 1 if the others are tangents of the first, otherwise 0. */
  readonly shared: number;
  /** Multiples of the amplitudes, by group of tables. Contains only 1 if all tensors have the same epsilon. */
  readonly reaches: readonly number[];
  /** Multiples of the learning rate, by set of the update rule's host scalars. */
  readonly rates: readonly number[];
  /** Offset of the host scalars. */
  readonly scalars: number;
  /** Offset of the update rule's host scalars, if there is a rule. */
  readonly update: number;
  /** Bytes of the update rule's host scalars. */
  readonly updateBytes: number;
  /** Offset of a word that says whether the gradient continues from the previous step, when gradients are accumulated over several steps. */
  readonly goesOn: number;
  /** Bytes of that word's binding. */
  readonly goesOnBytes: number;
  /** Offset of the seeds of the moves, if they are not the seeds of the branches in a single pass. */
  readonly seeds: number;
  /** Offset of the batch's words. */
  readonly batch: number;
  /** Bytes of the batch's words. */
  readonly batchBytes: number;
  /** Offset of the second batch's words, if a step has one. */
  readonly second: number;
  /** Total number of bytes. */
  readonly bytes: number;
}

/**
 * Number of tables of seeds and amplitudes: one; if tensors take turns, one per block and one for the tensors in no block; and all of these once
 * per epsilon, if groups have their own.
 */
function tables({ plan }: Optimiser, reaches: readonly number[]): number {
  return turnTables(plan) * reaches.length;
}

/** Number of tables of seeds and amplitudes for one reach: one, or one per block and one for the tensors in no block. */
export function turnTables(plan: DirectionPlan): number {
  const turns = turnsOf(plan);
  return turns ? turns.count + 1 : 1;
}

/** Position of a branch's seed and amplitude within a table, in bytes. */
export function branchPlace(
  { passBytes, perPass, shared }: Pick<InputLayout, "passBytes" | "perPass" | "shared">,
  branch: number,
): number {
  if (branch < shared) return branch * 16;
  const own = perPass - shared;
  const index = branch - shared;
  return Math.floor(index / own) * passBytes + (shared + index % own) * 16;
}

/** Branches that are part of every pass: 1 for the value, if the others are its tangents. */
export function sharedBranches({ estimator }: Optimiser): number {
  return estimator.tangents ? 1 : 0;
}

/** Whether the seeds of a step's moves are written separately. */
export function hasSeeds(
  optimiser: Optimiser,
  { perPass }: Pick<InputLayout, "perPass">,
): boolean {
  // An exact gradient has no seeds.
  if (optimiser.estimator.exact) return false;
  return !isPlain(optimiser.plan) || perPass < optimiser.estimator.branches.length;
}

/** Positions of the inputs of a step, for one batch shape. */
export function inputLayout(
  optimiser: Optimiser,
  { reaches, rates }: OffsetSet,
  shape: BatchShape,
  perPass: number,
): InputLayout {
  const branches = 0;
  const passBytes = 256 * Math.ceil(perPass * 16 / 256);
  const shared = sharedBranches(optimiser);
  const own = optimiser.estimator.branches.length - shared;
  const tableBytes = passBytes * Math.ceil(own / (perPass - shared));
  const scalars = tableBytes * tables(optimiser, reaches);
  const update = scalars + 256 * Math.max(1, Math.ceil(hostScalarCount(optimiser) * 4 / 256));
  const updateBytes = optimiser.update
    ? 256 * Math.max(1, Math.ceil(optimiser.update.inputSize * rates.length * 4 / 256))
    : 0;
  const seeds = update + updateBytes;
  const seedBytes = hasSeeds(optimiser, { perPass })
    ? 256 * Math.ceil(optimiser.moves * 8 / 256)
    : 0;
  const goesOn = seeds + seedBytes;
  const goesOnBytes = optimiser.estimator.exact && optimiser.plan.hold > 1 ? 256 : 0;
  const batch = goesOn + goesOnBytes;
  const batchBytes = wordsOf(shape);
  const second = shape.second ? 256 * Math.ceil((batch + batchBytes) / 256) : batch + batchBytes;
  const bytes = second + (shape.second ? wordsOf(shape.second) : 0);
  return {
    ...{ branches, tableBytes, passBytes, perPass, shared, reaches, rates },
    ...{
      scalars,
      update,
      updateBytes,
      seeds,
      goesOn,
      goesOnBytes,
      batch,
      batchBytes,
      second,
      bytes,
    },
  };
}

/** Bytes of a batch's words, in whole quads. */
export function wordsOf(shape: BatchShape): number {
  return Math.ceil(batchLayout(shape).words / 4) * 16;
}

/** The inputs of step number `step`, in a run with the given master seed. */
export function stepInputs(
  optimiser: Optimiser,
  master: Seed,
  step: number,
  batch: PackedBatch,
  layout: InputLayout,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(layout.bytes);
  const view = new DataView(bytes.buffer);
  const { estimator, plan } = optimiser;
  const turns = turnsOf(plan);
  const perReach = turnTables(plan);
  const { looks, scalars } = hostSide(optimiser, master, step);
  looks.forEach(({ seed, amplitude }, b) => {
    const [low, high] = seed;
    const turn = turns?.at(seed) ?? 0;
    for (let table = 0; table < tables(optimiser, layout.reaches); table++) {
      const at = layout.branches + table * layout.tableBytes + branchPlace(layout, b);
      view.setUint32(at, low, true);
      view.setUint32(at + 4, high, true);
      const reach = layout.reaches[Math.floor(table / perReach)];
      view.setFloat32(at + 8, table % perReach === turn ? reached(amplitude, reach) : 0, true);
    }
  });
  scalars.forEach((value, i) => {
    view.setFloat32(layout.scalars + i * 4, value, true);
  });
  const inputs = updateInputs(optimiser, step);
  const rated = optimiser.update ? ratedInputs(optimiser.update, inputs, layout.rates) : inputs;
  rated.forEach((value, i) => {
    view.setFloat32(layout.update + i * 4, value, true);
  });
  if (hasSeeds(optimiser, layout)) {
    moveSeeds(plan, estimator.directions, master, step).forEach(([low, high], i) => {
      view.setUint32(layout.seeds + i * 8, low, true);
      view.setUint32(layout.seeds + i * 8 + 4, high, true);
    });
  }
  if (layout.goesOnBytes > 0) view.setUint32(layout.goesOn, step % plan.hold === 0 ? 0 : 1, true);
  bytes.set(new Uint8Array(batch.words.buffer), layout.batch);
  if (batch.second) bytes.set(new Uint8Array(batch.second.words.buffer), layout.second);
  return bytes;
}
