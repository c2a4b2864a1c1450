/**
 * What is written for each training step, and where it lies.
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

/** Where a step's inputs lie in its one buffer, in bytes; bindings start at multiples of 256. */
export interface InputLayout {
  /** Seeds and amplitudes: of all tensors, or of those in each block, `tableBytes` apart, then of those in none. */
  readonly branches: number;
  /** Bytes of one table of seeds and amplitudes: of all passes, `passBytes` apart. */
  readonly tableBytes: number;
  /** Bytes of one pass's seeds and amplitudes. */
  readonly passBytes: number;
  /** Branches of a pass; the last may have fewer. */
  readonly perPass: number;
  /** Branches that every pass has: 1 where the others are tangents of the first, else 0. */
  readonly shared: number;
  /** What multiplies amplitudes, by group of tables: 1 alone where all tensors are looked along alike. */
  readonly reaches: readonly number[];
  /** What multiplies the learning rate, by set of host scalars of the update rule. */
  readonly rates: readonly number[];
  /** Host scalars. */
  readonly scalars: number;
  /** Host scalars of the update rule, if there is one. */
  readonly update: number;
  /** Bytes of these. */
  readonly updateBytes: number;
  /** Whether the gradient goes on from the step before, a word, where steps are accumulated into one. */
  readonly goesOn: number;
  /** Bytes of it. */
  readonly goesOnBytes: number;
  /** Seeds of the moves, where they are not the branches' in one pass. */
  readonly seeds: number;
  /** The batch's words. */
  readonly batch: number;
  /** Bytes of these. */
  readonly batchBytes: number;
  /** The second batch's words, where a step has one. */
  readonly second: number;
  /** In all. */
  readonly bytes: number;
}

/**
 * Tables of seeds and amplitudes: one; where tensors take turns one for each block, and one for what is in none; all of them for each epsilon, where
 * groups have their own.
 */
function tables({ plan }: Optimiser, reaches: readonly number[]): number {
  return turnTables(plan) * reaches.length;
}

/** Tables of seeds and amplitudes of one reach: one, or one for each block and one for what is in none. */
export function turnTables(plan: DirectionPlan): number {
  const turns = turnsOf(plan);
  return turns ? turns.count + 1 : 1;
}

/** Where a branch's seed and amplitude stand in a table, in bytes. */
export function branchPlace(
  { passBytes, perPass, shared }: Pick<InputLayout, "passBytes" | "perPass" | "shared">,
  branch: number,
): number {
  if (branch < shared) return branch * 16;
  const own = perPass - shared;
  const index = branch - shared;
  return Math.floor(index / own) * passBytes + (shared + index % own) * 16;
}

/** Branches that every pass has: the value, where the others are its tangents. */
export function sharedBranches({ estimator }: Optimiser): number {
  return estimator.tangents ? 1 : 0;
}

/** Whether the seeds of a step's moves are written for themselves. */
export function hasSeeds(
  optimiser: Optimiser,
  { perPass }: Pick<InputLayout, "perPass">,
): boolean {
  // A gradient has none.
  if (optimiser.estimator.exact) return false;
  return !isPlain(optimiser.plan) || perPass < optimiser.estimator.branches.length;
}

/** Where the inputs of a step of a batch shape lie. */
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

/** What is written into a step's input for step number `step` of the run with that master seed. */
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
