/**
 * Root mean square normalisation.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import { type Operation, recordOperation } from "../../device/operation.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import { bindPerturbation } from "../../offsets/bind.ts";
import type { ForwardContext, RowList } from "../context.ts";
import { splitRows } from "../rows.ts";
import { normAdjoint } from "../adjoints/norm_adjoint.ts";
import { normTangent } from "../tangents/norm_tangent.ts";
import source from "./rms_norm.wgsl.ts";

/** Attributes of {@linkcode rmsNormOperation}. */
export interface RmsNormAttributes {
  /** Rows and branches. */
  readonly context: ForwardContext;
  /** Gain, one f32 row. */
  readonly gain: DeviceTensor;
  /** Added to the mean square. */
  readonly epsilon: number;
  /** Rows of the result. Default: all. */
  readonly list?: RowList | undefined;
}

/** Input: x. Result: `x / sqrt(mean(x^2) + epsilon) * gain` by row. */
export const rmsNormOperation: Operation<RmsNormAttributes> = {
  name: "rms norm",
  record(graph, [x], { context, gain, epsilon, list }) {
    const { branches, batch, adapterClass } = context;
    const bound = bindPerturbation(context.perturbation(gain.name));
    const rows = list?.count ?? context.rows;
    const y = graph.value(`${gain.name} norm`, branches * rows * gain.columns);
    const { key, workgroups } = splitRows(adapterClass, branches * rows, 64);
    graph.add({
      label: `rms norm ${gain.name}`,
      source,
      key: {
        ...bound.key,
        ...key,
        ROW_LIST: list !== undefined,
      },
      reads: {
        1: gain.pieces[0].codes,
        2: x,
        4: list ? batch : undefined,
        ...bound.reads,
      },
      writes: { 3: y },
      parameters: [
        rows,
        gain.columns,
        context.rows,
        list?.first ?? 0,
        branches,
        ...bound.parameters,
        { f32: epsilon },
      ],
      workgroups,
    });
    return y;
  },
  tangent: (graph, [x], { gain, ...attributes }) =>
    normTangent(graph, x, { ...attributes, gain, width: gain.columns, centred: false }),
  adjoint: (graph, [x], _output, slope, { gain, ...attributes }, gradients) => [
    normAdjoint(
      graph,
      x,
      slope,
      { ...attributes, gain, width: gain.columns, centred: false },
      gradients,
    ),
  ],
};

/**
 * Records `x / sqrt(mean(x^2) + epsilon) * gain` by row (Zhang and Sennrich, arXiv 1910.07467). With `list`, the result
 * contains only those rows.
 *
 * @example The norm before a head
 * ```ts
 * import { batchLayout, DeviceTensor, Graph, rmsNorm, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const gain = new DeviceTensor("output_norm.weight", { kind: "dense", type: "f32" }, 1, 64, 2 ** 27);
 * const y = rmsNorm(context, context.graph.value("x", 2 * 4 * 64), gain, 1e-5);
 * assertEquals(y.words, 2 * 4 * 64);
 * ```
 */
export function rmsNorm(
  context: ForwardContext,
  x: Value | Storage,
  gain: DeviceTensor,
  epsilon: number,
  list?: RowList,
): Value {
  return recordOperation(context.graph, rmsNormOperation, [x], { context, gain, epsilon, list });
}
