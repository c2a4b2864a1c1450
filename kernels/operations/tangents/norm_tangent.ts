/**
 * All normalisations of rows, with their tangents.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import type { Operand } from "../../device/operation.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import { perturbedVector } from "../../matmul/perturbed_plane.ts";
import type { ForwardContext } from "../context.ts";
import type { NormOptions, NormVectors } from "../norms/norm_operation.ts";
import { splitRows } from "../rows.ts";
import source from "./norm_tangent.wgsl.ts";

/** Attributes of {@linkcode normTangent}. */
export interface NormTangentAttributes extends NormVectors, NormOptions {
  /** Rows and branches. */
  readonly context: ForwardContext;
  /** Whether the mean of each row is subtracted, as in LayerNorm but not in RMSNorm. */
  readonly centred: boolean;
}

/** Records normalised rows of `x` with their tangents: `[B][rows][width]`. */
export function normTangent(
  graph: Graph,
  x: Operand,
  { context, centred, gain, bias, width, epsilon, list }: NormTangentAttributes,
): Value {
  const { branches, batch, adapterClass } = context;
  const rows = list?.count ?? context.rows;
  const y = graph.value(`${gain?.name ?? ""} norm`, branches * rows * width);
  const factor = gain && vectorOf(graph, gain, context);
  const shift = bias && vectorOf(graph, bias, context);
  const { key, workgroups } = splitRows(adapterClass, branches * rows, 64);
  graph.add({
    label: `norm tangent ${gain?.name ?? ""}`,
    source,
    key: {
      ...key,
      CENTRED: centred,
      GAIN: factor !== undefined,
      GAIN_MOVES: factor?.moves ?? false,
      BIAS: shift !== undefined,
      BIAS_MOVES: shift?.moves ?? false,
      ROW_LIST: list !== undefined,
    },
    reads: { 1: x, 2: list ? batch : undefined, 4: factor?.vector, 5: shift?.vector },
    writes: { 3: y },
    parameters: [
      rows,
      width / 4,
      context.rows,
      list?.first ?? 0,
      branches,
      { f32: epsilon },
    ],
    workgroups,
  });
  return y;
}

/** A vector on the device, with its tangents if it is trained. */
function vectorOf(
  graph: Graph,
  tensor: DeviceTensor,
  { branches, perturbation }: ForwardContext,
): { readonly vector: Operand; readonly moves: boolean } {
  const moved = perturbation(tensor.name);
  return moved
    ? { vector: perturbedVector(graph, tensor, moved, branches), moves: true }
    : { vector: tensor.pieces[0].codes, moves: false };
}
