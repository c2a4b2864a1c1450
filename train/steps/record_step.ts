/**
 * A training step as a graph: the forwards of all branches, in as few passes as memory allows, and what follows their losses.
 *
 * @module
 */

import {
  batchLayout,
  type BatchShape,
  Graph,
  type OffsetSet,
  optimiserStep,
  type Range,
  type StepState,
  Storage,
} from "../../kernels/mod.ts";
import { turnsOf } from "../../optim/directions/structures.ts";
import { type DirectionPlan, isPlain, moveSeeds } from "../../optim/directions/direction_plan.ts";
import { frozenBy } from "../../optim/preparations/frozen.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import { hostScalarCount, hostSide } from "../../optim/steps/scalar_program.ts";
import type { Seed } from "../../optim/directions/seed.ts";
import { reached } from "../../optim/group.ts";
import { ratedInputs, updateInputs } from "../../optim/updates/update_rule.ts";
import type { PackedBatch } from "../../models/batch.ts";
import { recordLoss } from "../../models/forward.ts";
import { recordGradient, recordHybridGradient } from "../../models/gradient.ts";
import type { ModelPlan } from "../../models/inference/model.ts";

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
  /** In all. */
  readonly bytes: number;
}

/**
 * What exact gradients keep of the forward: `"block"`, the input of each block, which is computed again; `"all"`; or the input of every so many blocks.
 */
export type Checkpoints = "block" | "all" | number;

/** What the passes of a step must fit. */
export interface StepLimits {
  /** Bytes one binding may cover. */
  readonly maxBinding: number;
  /** Bytes that activations may take; a pass has one branch at least. Default: {@linkcode ACTIVATION_BYTES}. */
  readonly activationBytes?: number;
  /** Of exact gradients. Default: `"all"` where that fits, else `"block"`. */
  readonly checkpoints?: Checkpoints | undefined;
}

/** A step's activations stay below this many bytes, if need be in several passes or by computing blocks again: 1 GiB. */
export const ACTIVATION_BYTES: number = 2 ** 30;

/** A recorded step of one batch shape, and the memory it needs besides the model, the offsets and the state. */
export interface RecordedStep {
  /** The recorded dispatches. */
  readonly graph: Graph;
  /** Not yet allocated. */
  readonly storages: Storage[];
  /** Of `input`. */
  readonly layout: InputLayout;
  /** What is written for each step. */
  readonly input: Storage;
  /** What is kept of the forward, of exact gradients. */
  readonly checkpoints?: Checkpoints;
}

/**
 * Tables of seeds and amplitudes: one; where tensors take turns one for each block, and one for what is in none; all of them for each epsilon, where
 * groups have their own.
 */
function tables({ plan }: Optimiser, reaches: readonly number[]): number {
  return turnTables(plan) * reaches.length;
}

function turnTables(plan: DirectionPlan): number {
  const turns = turnsOf(plan);
  return turns ? turns.count + 1 : 1;
}

/** Where a branch's seed and amplitude stand in a table, in bytes. */
function branchPlace(
  { passBytes, perPass, shared }: Pick<InputLayout, "passBytes" | "perPass" | "shared">,
  branch: number,
): number {
  if (branch < shared) return branch * 16;
  const own = perPass - shared;
  const index = branch - shared;
  return Math.floor(index / own) * passBytes + (shared + index % own) * 16;
}

/** Branches that every pass has: the value, where the others are its tangents. */
function sharedBranches({ estimator }: Optimiser): number {
  return estimator.tangents ? 1 : 0;
}

/** Whether the seeds of a step's moves are written for themselves. */
function hasSeeds(
  optimiser: Optimiser,
  { perPass }: Pick<InputLayout, "perPass">,
): boolean {
  // A gradient has none.
  if (optimiser.estimator.exact) return false;
  return !isPlain(optimiser.plan) || perPass < optimiser.estimator.branches.length;
}

function inputLayout(
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
  const words = Math.ceil(batchLayout(shape).words / 4) * 4;
  const bytes = batch + words * 4;
  return {
    ...{ branches, tableBytes, passBytes, perPass, shared, reaches, rates },
    ...{ scalars, update, updateBytes, seeds, goesOn, goesOnBytes, batch, bytes },
  };
}

/**
 * Records a step in as few passes over the weights as its limits allow: a pass reads them once for all of its branches. How many
 * passes there are changes no bit of the result, and neither does what exact gradients keep.
 */
export function recordStep(
  model: ModelPlan,
  optimiser: Optimiser,
  offsets: OffsetSet,
  state: StepState,
  shape: BatchShape,
  { maxBinding, activationBytes = ACTIVATION_BYTES, checkpoints }: StepLimits,
): RecordedStep {
  const branches = Math.max(
    optimiser.estimator.branches.length,
    optimiser.accept?.candidates.length ?? 0,
  );
  const record = (perPass: number) =>
    recordPasses(model, optimiser, offsets, state, shape, perPass);
  const fits = ({ graph }: RecordedStep) => {
    const slots = graph.storages().storages.map((s) => s.bytes);
    return slots.every((bytes) => bytes <= maxBinding) &&
      slots.reduce((a, b) => a + b, 0) <= activationBytes;
  };
  if (optimiser.estimator.exact) {
    const keeping = (kept: Checkpoints) => ({
      ...recordPasses(
        model,
        optimiser,
        offsets,
        state,
        shape,
        optimiser.estimator.branches.length,
        kept,
      ),
      checkpoints: kept,
    });
    if (checkpoints !== undefined) return keeping(checkpoints);
    const all = keeping("all");
    return fits(all) ? all : keeping("block");
  }
  const whole = record(branches);
  const shared = sharedBranches(optimiser);
  const least = 1 + shared;
  if (branches <= least || fits(whole)) return whole;
  // A pass of fewer branches takes less: halving finds the most that fit, few recordings where there are hundreds of branches.
  let most = least;
  for (let tooMany = branches; tooMany - most > 1;) {
    const middle = Math.floor((most + tooMany) / 2);
    if (fits(record(middle))) most = middle;
    else tooMany = middle;
  }
  // As even as the number of passes allows.
  const own = branches - shared;
  return record(shared + Math.ceil(own / Math.ceil(own / (most - shared))));
}

function recordPasses(
  model: ModelPlan,
  optimiser: Optimiser,
  offsets: OffsetSet,
  state: StepState,
  shape: BatchShape,
  perPass: number,
  checkpoints?: Checkpoints,
): RecordedStep {
  const graph = new Graph();
  const layout = inputLayout(optimiser, offsets, shape, perPass);
  const branches = optimiser.estimator.branches.length;
  const input = new Storage("step inputs", layout.bytes, "activations");
  const losses = new Storage("losses", optimiser.evaluations * 4, "activations");
  // Gradients are taken of one branch at a time.
  const together = optimiser.estimator.exact ? 1 : perPass;
  const scores = new Storage("scores", together * shape.candidates * 4, "activations");
  const turns = turnsOf(optimiser.plan);
  const perReach = turnTables(optimiser.plan);
  const tableOf = (name: string) =>
    offsets.reachOf(name) * perReach + (turns ? turns.of(offsets.place(name)!) : 0);
  const forwards = (
    { all, shared, firstLoss }: {
      readonly all: number;
      readonly shared: number;
      readonly firstLoss: number;
    },
    table: (number: number) => Range,
  ) => {
    const own = perPass - shared;
    for (let first = 0; first < all - shared; first += own) {
      const count = shared + Math.min(own, all - shared - first);
      const tableAt = (number: number) => {
        const { storage, offset = 0 } = table(number);
        const pass = first / own * layout.passBytes;
        return { storage, offset: offset + pass, bytes: count * 16 };
      };
      const record = () =>
        recordLoss(
          graph,
          model,
          shape,
          count,
          { storage: input, offset: layout.batch, bytes: layout.bytes - layout.batch },
          { losses, first: firstLoss + first, scores },
          {
            offsets,
            noise: {
              law: optimiser.law,
              frozen: frozenBy(optimiser.plan),
              branches: turns || offsets.reaches.length > 1
                ? (name: string) => tableAt(tableOf(name))
                : tableAt(0),
            },
          },
        );
      if (shared > 0) graph.withTangents(count - shared, record);
      else record();
    }
  };
  if (optimiser.estimator.exact) {
    offsets.gradients.clear(
      graph,
      layout.goesOnBytes > 0
        ? { storage: input, offset: layout.goesOn, bytes: layout.goesOnBytes }
        : undefined,
    );
    const batch = { storage: input, offset: layout.batch, bytes: layout.bytes - layout.batch };
    const { estimator: { exactBlocks, tangents = false } } = optimiser;
    const evaluated = branches - 1;
    const { gradients } = offsets;
    if (exactBlocks) {
      const { layers } = model.config;
      recordHybridGradient(graph, model, shape, batch, { losses, scores }, offsets, gradients, {
        checkpoints,
        first: layers - exactBlocks(layers),
        branches: evaluated,
        tangents,
        noise: {
          law: optimiser.law,
          frozen: frozenBy(optimiser.plan),
          branches: { storage: input, offset: layout.branches, bytes: evaluated * 16 },
        },
      });
    } else {
      recordGradient(graph, model, shape, batch, { losses, scores }, offsets, gradients, {
        checkpoints,
      });
    }
    gradients.norm(graph, losses, evaluated);
  } else {
    forwards({ all: branches, shared: layout.shared, firstLoss: 0 }, (table) => ({
      storage: input,
      offset: layout.branches + layout.tableBytes * table,
    }));
  }
  const { accept } = optimiser;
  const trial = accept && new Storage(
    "tried branches",
    layout.passBytes * Math.ceil(accept.candidates.length / perPass),
    "activations",
  );
  optimiserStep(
    graph,
    optimiser,
    state,
    losses,
    {
      branches: { storage: input, offset: layout.branches, bytes: branches * 16 },
      scalars: {
        storage: input,
        offset: layout.scalars,
        bytes: Math.max(4, hostScalarCount(optimiser) * 4),
      },
      update: optimiser.update &&
        { storage: input, offset: layout.update, bytes: layout.updateBytes },
      trial: trial && {
        branches: trial,
        places: accept!.candidates.map((_, i) => branchPlace({ ...layout, shared: 0 }, i) / 16),
        evaluate: () =>
          forwards(
            { all: accept!.candidates.length, shared: 0, firstLoss: branches },
            () => ({ storage: trial }),
          ),
      },
      ...(hasSeeds(optimiser, layout)
        ? { seeds: { storage: input, offset: layout.seeds, bytes: optimiser.moves * 8 } }
        : {}),
    },
    offsets,
    model.tensors,
  );
  return { graph, storages: [input, losses, scores, ...(trial ? [trial] : [])], layout, input };
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
  return bytes;
}
