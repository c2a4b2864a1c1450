/**
 * Reorders the columns of a value, for the input of a matrix whose columns were reordered when it was quantised.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import { scatterColumns } from "./adjoints/adjoints.ts";
import source from "./gather_columns.wgsl.ts";

/** Attributes of {@linkcode gatherColumnsOperation}. */
export interface GatherColumnsAttributes {
  /** For each column of the result, the index of the input column. */
  readonly order: Storage;
  /** Columns per row, a multiple of 4. */
  readonly columns: number;
}

/** Input: x. Result: its columns in order. */
export const gatherColumnsOperation: Operation<GatherColumnsAttributes> = {
  name: "gather columns",
  tangent: "linear",
  record(graph, [input], { order, columns }) {
    const x = input as Value | Storage;
    const words = "words" in x ? x.words : x.bytes / 4;
    const y = graph.value("gathered", words);
    const total = words / 4;
    graph.add({
      label: "gather columns",
      source,
      key: {},
      reads: { 1: x, 2: order },
      writes: { 3: y },
      parameters: [total, columns / 4],
      workgroups: Math.ceil(total / 64),
    });
    return y;
  },
  adjoint: (graph, _inputs, _output, slope, { order, columns }) => [
    scatterColumns(graph, slope, { of: columns, first: 0, count: columns, order }),
  ],
};

/**
 * Records `y[row][j] = x[row][order[j]]` for rows of `columns` elements, a multiple of 4.
 *
 * @param order `columns` words, each less than `columns`.
 *
 * @example The input of a matrix with reordered columns
 * ```ts
 * import { gatherColumns, Graph, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const graph = new Graph();
 * const x = graph.value("x", 3 * 64);
 * const order = new Storage("column order", 64 * 4, "weights");
 * assertEquals(gatherColumns({ graph }, x, order, 64).words, 3 * 64);
 * ```
 */
export function gatherColumns(
  { graph }: { readonly graph: Graph },
  x: Value | Storage,
  order: Storage,
  columns: number,
): Value {
  return recordOperation(graph, gatherColumnsOperation, [x], { order, columns });
}
