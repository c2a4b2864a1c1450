/**
 * Selects the rows named by a list in the batch.
 *
 * @module
 */

import type { Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import { scatterRows } from "./adjoints/adjoints.ts";
import type { ForwardContext, RowList } from "./context.ts";
import source from "./pick_rows.wgsl.ts";

/** Attributes of {@linkcode pickRowsOperation}. */
export interface PickRowsAttributes extends RowList {
  /** Rows, branches, and the batch with the list. */
  readonly context: ForwardContext;
  /** Elements per row, a multiple of 4. */
  readonly width: number;
}

/** Input: x. Result: its listed rows. */
export const pickRowsOperation: Operation<PickRowsAttributes> = {
  name: "pick rows",
  tangent: "linear",
  record(graph, [x], { context: { branches, batch, rows }, width, first, count }) {
    const y = graph.value("picked rows", branches * count * width);
    const total = y.words / 4;
    graph.add({
      label: "pick rows",
      source,
      key: {},
      reads: { 1: x, 2: batch },
      writes: { 3: y },
      parameters: [total, width / 4, count, rows, first],
      workgroups: Math.ceil(total / 64),
    });
    return y;
  },
  adjoint: (_graph, _inputs, _output, slope, { context, width, first, count }) => [
    scatterRows(context, slope, width, { first, count }),
  ],
};

/**
 * Records `y[b][i] = x[b][list[i]]` for rows of `width` elements, a multiple of 4: `[B][list.count][width]`.
 *
 * @example The rows whose logits are needed
 * ```ts
 * import { batchLayout, Graph, pickRows, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const x = context.graph.value("x", 2 * 4 * 64);
 * const y = pickRows(context, x, 64, { first: layout.lossRows, count: 4 });
 * assertEquals(y.words, 2 * 4 * 64);
 * ```
 */
export function pickRows(
  context: ForwardContext,
  x: Value | Storage,
  width: number,
  { first, count }: RowList,
): Value {
  return recordOperation(context.graph, pickRowsOperation, [x], { context, width, first, count });
}
