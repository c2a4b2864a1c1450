/**
 * A training step as a graph: the forward passes of all branches, in as few passes over the weights as memory allows, and everything after their
 * losses.
 *
 * @module
 */

import {
  type BatchShape,
  Graph,
  type OffsetSet,
  optimiserStep,
  type Range,
  type StepState,
  Storage,
} from "../../kernels/mod.ts";
import { turnsOf } from "../../optim/directions/structures.ts";
import { frozenBy } from "../../optim/preparations/frozen.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import { hostScalarCount } from "../../optim/steps/scalar_program.ts";
import { recordLoss } from "../../models/forward.ts";
import { recordGradient, recordHybridGradient } from "../../models/gradient.ts";
import type { ModelPlan } from "../../models/inference/model.ts";
import {
  branchPlace,
  hasSeeds,
  type InputLayout,
  inputLayout,
  sharedBranches,
  turnTables,
  wordsOf,
} from "./step_inputs.ts";

/**
 * What exact gradients store from the forward pass: `"block"` stores the input of each block and recomputes the rest, `"all"` stores everything,
 * and a number stores the input after every so many blocks.
 */
export type Checkpoints = "block" | "all" | number;

/** Limits for the passes of a step. */
export interface StepLimits {
  /** The most bytes that one binding can cover. */
  readonly maxBinding: number;
  /** The most bytes of activations. A pass has at least one branch. Default: {@linkcode ACTIVATION_BYTES}. */
  readonly activationBytes?: number;
  /** What exact gradients store. Default: `"all"` if it fits, otherwise `"block"`. */
  readonly checkpoints?: Checkpoints | undefined;
}

/** The default limit of a step's activations, 1 GiB. Larger steps use several passes or recompute blocks. */
export const ACTIVATION_BYTES: number = 2 ** 30;

/** A recorded step of one batch shape, and the memory it needs besides the model, the offsets and the state. */
export interface RecordedStep {
  /** The recorded dispatches. */
  readonly graph: Graph;
  /** Memory, not yet allocated. */
  readonly storages: Storage[];
  /** Layout of `input`. */
  readonly layout: InputLayout;
  /** The inputs, written for each step. */
  readonly input: Storage;
  /** What exact gradients store from the forward pass. */
  readonly checkpoints?: Checkpoints;
}

/**
 * Records a step in as few passes over the weights as its limits allow; each pass reads them once for all its branches. The result has the same
 * bits for any number of passes and for anything that exact gradients store.
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
  const wants = optimiser.estimator.batches !== undefined;
  if (wants !== (shape.second !== undefined)) {
    throw new TypeError(
      `Cannot record a step of ${optimiser.name}: ${
        wants
          ? "it takes a second batch for its gradient, and there is none; pack one with withSecond"
          : "there is a second batch, and it takes one"
      }`,
    );
  }
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
  // A pass with fewer branches takes less memory. Bisection finds the most that fit with few recordings, even for hundreds of branches.
  let most = least;
  for (let tooMany = branches; tooMany - most > 1;) {
    const middle = Math.floor((most + tooMany) / 2);
    if (fits(record(middle))) most = middle;
    else tooMany = middle;
  }
  // Distribute branches evenly over the passes.
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
  const { second } = shape;
  // Gradients are computed for one branch at a time.
  const together = optimiser.estimator.exact && !second ? 1 : perPass;
  const scores = new Storage(
    "scores",
    Math.max(together * shape.candidates, second?.candidates ?? 0) * 4,
    "activations",
  );
  const batch = { storage: input, offset: layout.batch, bytes: layout.batchBytes };
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
          batch,
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
    } else if (second) {
      const behind = { storage: input, offset: layout.second, bytes: wordsOf(second) };
      const all = evaluated - 1;
      forwards({ all, shared: layout.shared, firstLoss: 0 }, () => ({
        storage: input,
        offset: layout.branches,
      }));
      const target = { losses, first: all, scores };
      recordGradient(graph, model, second, behind, target, offsets, gradients, { checkpoints });
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
