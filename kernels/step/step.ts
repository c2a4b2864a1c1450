/**
 * The part of a training step that follows the losses. Everything runs on the device: the optimiser's scalar program (emitted as WGSL from the
 * same functions that run on the host), the update of every offset, and the record that the host drains later.
 *
 * @module
 */

import type { Optimiser } from "../../optim/optimiser.ts";
import type { Graph, Range, Value } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import { moveOffsets } from "../offsets/move_offsets.ts";
import type { OffsetSet } from "../offsets/offset_set.ts";
import { acceptStep, scalarStep } from "./scalar_step.ts";
import type { StepState } from "./state.ts";
import { isPlain } from "../../optim/directions/direction_plan.ts";
import { hostScalarCount, noiseDirections } from "../../optim/steps/scalar_program.ts";

/** Positions of a step's inputs. */
export interface StepInputs {
  /** Seed and amplitude by branch, 16 bytes each. */
  readonly branches: Range;
  /** Scalars of the optimiser's program, f32. */
  readonly scalars: Range;
  /** Host scalars of the update rule, f32. Required if there is a rule. */
  readonly update?: Range | undefined;
  /**
   * The `moveSeeds` of the step, 8 bytes each. Required if the optimiser's directions are not plain; the branches' seeds must then come from
   * `directionSeed`.
   */
  readonly seeds?: Range;
  /** How the candidates of an accept rule are evaluated. Required if the optimiser has such a rule. */
  readonly trial?: StepTrial | undefined;
}

/** How the candidates of an accept rule are evaluated. */
export interface StepTrial {
  /** Seeds and amplitudes, 16 bytes each, written by the step's scalar program. */
  readonly branches: Storage;
  /** Position of each candidate in `branches`, in units of 16 bytes. */
  readonly places: readonly number[];
  /** Records the evaluation of `branches`. Their losses follow those of the estimator's branches. */
  readonly evaluate: () => void;
}

/**
 * Records the scalar program, the update of every arena and, if the optimiser requires it, the projection.
 *
 * @throws {TypeError} when an input is missing: the seeds of directions that are held, remembered or masked, the host scalars of an update rule,
 * or the evaluation of an accept rule's candidates.
 *
 * @example A step of MeZO, from its losses on
 * ```ts
 * import { DeviceTensor, Graph, OffsetSet, optimiserStep, StepState, Storage, trainableOf } from "@qzo/qzo/kernels";
 * import { mezo, tensorId } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const norm = new DeviceTensor("output_norm.weight", { kind: "dense", type: "f32" }, 1, 64, 2 ** 27);
 * const offsets = new OffsetSet([trainableOf(norm, tensorId(norm.name), "absolute", 1)], 2 ** 27);
 * const [graph, optimiser] = [new Graph(), mezo()];
 * const [losses, branches, scalars] = ["losses", "branches", "scalars"].map((label) => new Storage(label, 256, "scratch"));
 * const inputs = { branches: { storage: branches }, scalars: { storage: scalars } };
 * optimiserStep(graph, optimiser, new StepState(optimiser, 1), losses, inputs, offsets, new Map([[norm.name, norm]]));
 * assertEquals(graph.dispatches.map(({ label }) => label), ["mezo scalar step", "update offsets 0"]);
 * ```
 */
export function optimiserStep(
  graph: Graph,
  optimiser: Optimiser,
  state: StepState,
  losses: Storage,
  inputs: StepInputs,
  offsets: OffsetSet,
  tensors: ReadonlyMap<string, DeviceTensor>,
): void {
  if (optimiser.update && !inputs.update) {
    throw new TypeError(
      `Cannot record a step of ${optimiser.name}: the host scalars of its update rule are not given`,
    );
  }
  const seeded = inputs.seeds !== undefined;
  if (!seeded && !optimiser.estimator.exact && !isPlain(optimiser.plan)) {
    throw new TypeError(
      `Cannot record a step of ${optimiser.name}: its directions are not plain, and its seeds are not given`,
    );
  }
  const { accept } = optimiser;
  const { trial } = inputs;
  if (accept && !trial) {
    throw new TypeError(
      `Cannot record a step of ${optimiser.name}: how ${accept.name}'s candidates are evaluated is not given`,
    );
  }
  const tried: Record<number, Storage> = trial && accept ? { 8: trial.branches } : {};
  const { words, ...shader } = scalarStep(optimiser, seeded, trial?.places);
  const scratch: Record<number, Value> = words > 0
    ? { 9: graph.value("scalar scratch", words) }
    : {};
  graph.add({
    label: `${optimiser.name} scalar step`,
    ...shader,
    reads: {
      1: losses,
      2: seeded ? undefined : inputs.branches,
      7: inputs.seeds,
      5: hostScalarCount(optimiser) > 0 ? inputs.scalars : undefined,
    },
    writes: {
      3: state.control,
      4: state.coefficients,
      6: state.records,
      ...tried,
      ...scratch,
    },
    parameters: [],
    workgroups: 1,
  });
  if (trial && accept) {
    trial.evaluate();
    graph.add({
      label: `${optimiser.name} accepts`,
      ...acceptStep(optimiser, accept, state.recordWords),
      reads: { 1: losses },
      writes: { 3: state.control, 4: state.coefficients, 6: state.records },
      parameters: [],
      workgroups: 1,
    });
  }
  moveOffsets(graph, optimiser, offsets, tensors, {
    coefficients: state.coefficients,
    directions: optimiser.moves,
    perStep: optimiser.moves,
    inputs: inputs.update,
    gradients: optimiser.estimator.exact ? offsets.gradients.storages : undefined,
    mixed: optimiser.estimator.exact && noiseDirections(optimiser.estimator) > 0,
  });
}
