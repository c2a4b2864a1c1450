/**
 * Multiplies each column of a value by its own number, as IA3 does with the input or output of a matrix.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import { type Operand, type Operation, recordOperation } from "../../device/operation.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import type { ForwardContext } from "../context.ts";
import { byBranch } from "../leading/by_branch.ts";
import source from "./scale_columns.wgsl.ts";
import adjointSource from "./scale_columns_adjoint.wgsl.ts";

/** Attributes of {@linkcode scaleColumnsOperation}. */
export interface ScaleColumnsAttributes {
  /** Branches, offsets and noise. */
  readonly context: ForwardContext;
  /** The factors: one f32 row with a multiple of 4 columns. */
  readonly scales: DeviceTensor;
  /** Rows per branch. */
  readonly rows: number;
}

/** Inputs: x, then the residual if there is one. Result: `residual + x * scales`. */
export const scaleColumnsOperation: Operation<ScaleColumnsAttributes> = {
  name: "scale columns",
  record: (graph, [x, residual], attributes) => recordScaled(graph, x, residual, attributes),
  // The same shader, which adds the effect of a change of the scales on the first branch.
  tangent: (graph, [x, residual], attributes) => recordScaled(graph, x, residual, attributes),
  adjoint(graph, [x, residual], _output, slope, attributes, gradients) {
    const { context, scales, rows } = attributes;
    const moved = context.perturbation(scales.name);
    const gradient = moved && gradients.of(scales.name);
    if (moved && gradient) {
      const isRelative = moved.form === "relative";
      const quads = scales.columns / 4;
      graph.add({
        label: `column scale adjoint ${scales.name}`,
        source: adjointSource,
        key: { RELATIVE: isRelative },
        reads: { 1: isRelative ? scales.pieces[0].codes : undefined, 2: x, 5: slope },
        writes: { 3: gradient },
        parameters: [rows, quads],
        work: rows * scales.columns,
        workgroups: Math.ceil(quads / 64),
      });
    }
    const input = recordScaled(graph, slope, undefined, attributes);
    return residual ? [input, slope] : [input];
  },
};

/**
 * Records `y[b, m, n] = x[b, m, n] * s_b[n]`, plus the residual if there is one, with the scales of branch `b`. All
 * values are `[B][M][columns]`. Source: Liu et al., arXiv 2205.05638.
 *
 * @example IA3 on the output of a matrix
 * ```ts
 * import { batchLayout, DeviceTensor, Graph, scaleColumns, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const scales = new DeviceTensor("blk.0.attn_k.weight.ia3", { kind: "dense", type: "f32" }, 1, 32, 2 ** 27);
 * const y = scaleColumns(context, context.graph.value("k", 2 * 4 * 32), { scales, rows: 4 });
 * assertEquals(y.words, 2 * 4 * 32);
 * ```
 */
export function scaleColumns(
  context: ForwardContext,
  x: Operand,
  { scales, rows, residual }: {
    readonly scales: DeviceTensor;
    readonly rows: number;
    readonly residual?: Value | Storage | undefined;
  },
): Value {
  const inputs = residual === undefined ? [x] : [x, residual];
  return recordOperation(context.graph, scaleColumnsOperation, inputs, { context, scales, rows });
}

function recordScaled(
  graph: Graph,
  x: Operand,
  residual: Operand | undefined,
  { context, scales, rows }: ScaleColumnsAttributes,
): Value {
  const { branches } = context;
  const y = graph.value(`${scales.name} product`, rows * branches * scales.columns);
  const { values, differs } = byBranch(scales, context);
  const quads = scales.columns / 4;
  graph.add({
    label: `scale columns ${scales.name}`,
    source,
    key: {
      BY_BRANCH: differs,
      TANGENT: differs && graph.tangents > 0,
      RESIDUAL: residual !== undefined,
    },
    reads: { 1: values, 2: x, 4: residual },
    writes: { 3: y },
    parameters: [rows * branches * quads, quads, rows],
    workgroups: Math.ceil(rows * branches * quads / 64),
  });
  return y;
}
