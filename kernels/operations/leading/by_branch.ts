/**
 * Small dense matrices of adapters, with the values of each branch.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import { perturbedVector, withTangents } from "../../matmul/perturbed_plane.ts";
import type { ForwardContext } from "../context.ts";

/** A matrix: one for all branches or, if it is trained, one per branch. */
export interface MatrixByBranch {
  /** Values `[rows][columns]`, or `[B][rows][columns]` if `differs`. */
  readonly values: Storage | Value;
  /** Whether every branch has its own values. */
  readonly differs: boolean;
}

/** A dense f32 matrix with the values of the branches of a forward pass. */
export function byBranch(
  matrix: DeviceTensor,
  { graph, perturbation, branches }: ForwardContext,
): MatrixByBranch {
  const own = perturbation(matrix.name);
  return own
    ? { values: perturbedVector(graph, matrix, own, branches), differs: true }
    : { values: matrix.pieces[0].codes, differs: false };
}

/** Like {@linkcode byBranch}, but with the matrix's tangents if the graph records tangents. They are zero if it is not trained. */
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
