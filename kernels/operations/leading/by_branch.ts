/**
 * Small dense matrices beside a model, as branches have them.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import { perturbedVector, withTangents } from "../../matmul/perturbed_plane.ts";
import type { ForwardContext } from "../context.ts";

/** A matrix as all branches have it, or, where it is trained, as each has it: then of as many copies. */
export interface MatrixByBranch {
  /** `[rows][columns]`, or `[B][rows][columns]`. */
  readonly values: Storage | Value;
  /** Whether every branch has its own. */
  readonly differs: boolean;
}

/** A dense f32 matrix as the branches of a forward have it. */
export function byBranch(
  matrix: DeviceTensor,
  { graph, perturbation, branches }: ForwardContext,
): MatrixByBranch {
  const own = perturbation(matrix.name);
  return own
    ? { values: perturbedVector(graph, matrix, own, branches), differs: true }
    : { values: matrix.pieces[0].codes, differs: false };
}

/** {@linkcode byBranch}, and where the graph records tangents with those of the matrix, zeros where nothing is trained of it. */
export function byBranchWithTangents(
  matrix: DeviceTensor,
  context: ForwardContext,
): MatrixByBranch {
  const found = byBranch(matrix, context);
  const { graph, branches } = context;
  if (graph.tangents === 0 || found.differs) return found;
  const values = withTangents(graph, found.values, matrix.rows * matrix.columns, branches);
  return { values, differs: true };
}
