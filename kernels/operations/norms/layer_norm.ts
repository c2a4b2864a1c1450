/**
 * LayerNorm (Ba, Kiros and Hinton, arXiv 1607.06450).
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import { type Operand, type Operation, recordOperation } from "../../device/operation.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import { perturbedVector } from "../../matmul/perturbed_plane.ts";
import type { ForwardContext } from "../context.ts";
import { splitRows } from "../rows.ts";
import { normAdjoint } from "../adjoints/norm_adjoint.ts";
import { normTangent } from "../tangents/norm_tangent.ts";
import source from "./layer_norm.wgsl.ts";
import type { NormOptions, NormVectors } from "./norm_operation.ts";

/** Attributes of {@linkcode layerNormOperation}. */
export interface LayerNormAttributes extends NormVectors, NormOptions {
  /** Rows and branches. */
  readonly context: ForwardContext;
}

/** Input: x. Result: `(x - mean(x)) / sqrt(variance(x) + epsilon) * gain + bias` by row. */
export const layerNormOperation: Operation<LayerNormAttributes> = {
  name: "layer norm",
  record(graph, [x], { context, gain, bias, width, epsilon, list }) {
    const { branches, batch, adapterClass } = context;
    const rows = list?.count ?? context.rows;
    const y = graph.value("layer norm", branches * rows * width);
    const { key, workgroups } = splitRows(adapterClass, branches * rows, 64);
    const factor = gain && byBranch(context, gain);
    const shift = bias && byBranch(context, bias);
    graph.add({
      label: `layer norm ${gain?.name ?? ""}`,
      source,
      key: {
        GAIN: factor !== undefined,
        BIAS: shift !== undefined,
        ...key,
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
        factor?.stride ?? 0,
        shift?.stride ?? 0,
        { f32: epsilon },
      ],
      workgroups,
    });
    return y;
  },
  tangent: (graph, [x], attributes) => normTangent(graph, x, { ...attributes, centred: true }),
  adjoint: (graph, [x], _output, slope, attributes, gradients) => [
    normAdjoint(graph, x, slope, { ...attributes, centred: true }, gradients),
  ],
};

/** A vector with the values of the branches, and the number of quads from one branch to the next (0 if all share it). */
function byBranch(
  { graph, branches, perturbation }: ForwardContext,
  tensor: DeviceTensor,
): { readonly vector: Operand; readonly stride: number } {
  const moved = perturbation(tensor.name);
  return moved
    ? { vector: perturbedVector(graph, tensor, moved, branches), stride: tensor.columns / 4 }
    : { vector: tensor.pieces[0].codes, stride: 0 };
}

/**
 * Records `(x - mean(x)) / sqrt(variance(x) + epsilon) * gain + bias` by row. Gain and bias are optional; the variance is the biased one, of the row
 * itself. With `list`, the result contains only those rows.
 */
export function layerNorm(
  context: ForwardContext,
  x: Value | Storage,
  vectors: NormVectors,
  options: NormOptions,
): Value {
  return recordOperation(context.graph, layerNormOperation, [x], {
    context,
    ...vectors,
    ...options,
  });
}
