/**
 * What follows the losses of a training step, all on the device: the optimiser's scalar program (emitted as WGSL from the same
 * functions the host runs), the update of every offset, and the record that the host drains later.
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

/** Where a step's inputs lie: the branches (16 bytes each), then the host scalars. */
export interface StepInputs {
  /** Seed and amplitude by branch. */
  readonly branches: Range;
  /** The scalars of the optimiser's program, f32. */
  readonly scalars: Range;
  /** The update rule's host scalars, f32; needed where there is a rule. */
  readonly update?: Range | undefined;
  /**
   * `moveSeeds` of the step, 8 bytes each. Needed where the optimiser's directions are not plain; who gives them also takes
   * the branches' seeds from `directionSeed`.
   */
  readonly seeds?: Range;
  /** How a step is tried; needed where the optimiser has an accept rule. */
  readonly trial?: StepTrial | undefined;
}

/** How the candidates of an accept rule are evaluated. */
export interface StepTrial {
  /** Seeds and amplitudes, 16 bytes each, written by the step's scalar program. */
  readonly branches: Storage;
  /** Where those of each candidate stand in `branches`, in units of 16 bytes. */
  readonly places: readonly number[];
  /** Records the evaluation of `branches`; their losses follow those of the estimator's branches. */
  readonly evaluate: () => void;
}

/**
 * Records the scalar program, the update of every arena and, where the optimiser asks for it, the projection.
 *
 * @throws TypeError when the inputs lack something: seeds of directions that are held, remembered or masked, the host scalars of
 * an update rule, or how an accept rule's candidates are evaluated
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
