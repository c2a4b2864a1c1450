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
} from "../kernels/mod.ts";
import type { Blocks } from "../optim/blocks.ts";
import { isPlain } from "../optim/direction_plan.ts";
import type { Optimiser } from "../optim/optimiser.ts";
import { hostScalarCount } from "../optim/scalar_program.ts";
import { recordLoss } from "./forward.ts";
import type { ModelPlan } from "./model.ts";

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
  /** Host scalars. */
  readonly scalars: number;
  /** Host scalars of the update rule, if there is one. */
  readonly update: number;
  /** Seeds of the moves, where they are not the branches' in one pass. */
  readonly seeds: number;
  /** The batch's words. */
  readonly batch: number;
  /** In all. */
  readonly bytes: number;
}

/** What the passes of a step must fit. */
export interface StepLimits {
  /** Bytes one binding may cover. */
  readonly maxBinding: number;
  /** Bytes that activations may take; a pass has one branch at least. Default: {@linkcode ACTIVATION_BYTES}. */
  readonly activationBytes?: number;
}

/** A step's activations stay below this many bytes, if need be in several passes: 1 GiB. */
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
}

/** Tables of seeds and amplitudes: one, or one for each block and one for what is in none. */
export function tables({ plan: { blocks } }: Optimiser): number {
  return blocks ? blocks.count + 1 : 1;
}

/** The number of the table that a block has: the last for what is in none. */
export function tableOf(blocks: Required<Blocks>, block: number): number {
  const at = block - (blocks.by === "tensor" ? 0 : 1);
  return at >= 0 && at < blocks.count ? at : blocks.count;
}

/** Where a branch's seed and amplitude stand in a table, in bytes. */
export function branchPlace({ passBytes, perPass }: InputLayout, branch: number): number {
  return Math.floor(branch / perPass) * passBytes + branch % perPass * 16;
}

/** Whether the seeds of a step's moves are written for themselves. */
export function hasSeeds(
  optimiser: Optimiser,
  { perPass }: Pick<InputLayout, "perPass">,
): boolean {
  return !isPlain(optimiser.plan) || perPass < optimiser.estimator.branches.length;
}

function inputLayout(optimiser: Optimiser, shape: BatchShape, perPass: number): InputLayout {
  const branches = 0;
  const passBytes = 256 * Math.ceil(perPass * 16 / 256);
  const tableBytes = passBytes * Math.ceil(optimiser.estimator.branches.length / perPass);
  const scalars = tableBytes * tables(optimiser);
  const update = scalars + 256 * Math.max(1, Math.ceil(hostScalarCount(optimiser) * 4 / 256));
  const seeds = update + (optimiser.update ? 256 : 0);
  const seedBytes = hasSeeds(optimiser, { perPass })
    ? 256 * Math.ceil(optimiser.moves * 8 / 256)
    : 0;
  const batch = seeds + seedBytes;
  const words = Math.ceil(batchLayout(shape).words / 4) * 4;
  const bytes = batch + words * 4;
  return { branches, tableBytes, passBytes, perPass, scalars, update, seeds, batch, bytes };
}

/**
 * Records a step in as few passes over the weights as its limits allow: a pass reads them once for all of its branches. How many
 * passes there are changes no bit of the result.
 */
export function recordStep(
  model: ModelPlan,
  optimiser: Optimiser,
  offsets: OffsetSet,
  state: StepState,
  shape: BatchShape,
  { maxBinding, activationBytes = ACTIVATION_BYTES }: StepLimits,
): RecordedStep {
  const branches = Math.max(
    optimiser.estimator.branches.length,
    optimiser.accept?.candidates.length ?? 0,
  );
  for (let passes = 1;; passes++) {
    const perPass = Math.ceil(branches / passes);
    const step = recordPasses(model, optimiser, offsets, state, shape, perPass);
    const slots = step.graph.storages().storages.map((s) => s.bytes);
    const fits = slots.every((bytes) => bytes <= maxBinding) &&
      slots.reduce((a, b) => a + b, 0) <= activationBytes;
    if (fits || perPass === 1) return step;
  }
}

function recordPasses(
  model: ModelPlan,
  optimiser: Optimiser,
  offsets: OffsetSet,
  state: StepState,
  shape: BatchShape,
  perPass: number,
): RecordedStep {
  const graph = new Graph();
  const layout = inputLayout(optimiser, shape, perPass);
  const branches = optimiser.estimator.branches.length;
  const input = new Storage("step inputs", layout.bytes, "activations");
  const losses = new Storage("losses", optimiser.evaluations * 4, "activations");
  const scores = new Storage("scores", perPass * shape.candidates * 4, "activations");
  const { blocks } = optimiser.plan;
  const forwards = (all: number, firstLoss: number, table: (number: number) => Range) => {
    for (let first = 0; first < all; first += perPass) {
      const count = Math.min(perPass, all - first);
      const tableAt = (number: number) => {
        const { storage, offset = 0 } = table(number);
        return { storage, offset: offset + branchPlace(layout, first), bytes: count * 16 };
      };
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
            distribution: optimiser.distribution,
            branches: blocks
              ? (name: string) => tableAt(tableOf(blocks, offsets.place(name)![blocks.by]))
              : tableAt(0),
          },
        },
      );
    }
  };
  forwards(branches, 0, (table) => ({
    storage: input,
    offset: layout.branches + layout.tableBytes * table,
  }));
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
      update: optimiser.update && { storage: input, offset: layout.update, bytes: 256 },
      trial: trial && {
        branches: trial,
        places: accept!.candidates.map((_, i) => branchPlace(layout, i) / 16),
        evaluate: () => forwards(accept!.candidates.length, branches, () => ({ storage: trial })),
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
