/**
 * Selects a range of columns, such as one of several products that a file stores as one matrix.
 *
 * @module
 */

import type { Value } from "../device/graph.ts";
import { type Operation, recordOperation } from "../device/operation.ts";
import { scatterColumns } from "./adjoints/adjoints.ts";
import type { ForwardContext } from "./context.ts";
import source from "./pick_columns.wgsl.ts";

/** Adjacent columns. All three numbers are multiples of 4. */
export interface ColumnRange {
  /** Elements per row of the value. */
  readonly of: number;
  /** Index of the first column. */
  readonly first: number;
  /** Number of columns. */
  readonly count: number;
}

/** Input: x. Result: a range of its columns. */
export const pickColumnsOperation: Operation<ColumnRange> = {
  name: "pick columns",
  tangent: "linear",
  record(graph, [x], { of, first, count }) {
    if ([of, first, count].some((it) => it % 4 !== 0)) {
      throw new RangeError(
        `Cannot pick columns ${first} to ${first + count} of ${of}: expected multiples of 4`,
      );
    }
    const y = graph.value("picked columns", (x as Value).words / of * count);
    const total = y.words / 4;
    graph.add({
      label: "pick columns",
      source,
      key: {},
      reads: { 1: x },
      writes: { 2: y },
      parameters: [total, count / 4, of / 4, first / 4],
      workgroups: Math.ceil(total / 64),
    });
    return y;
  },
  adjoint: (graph, _inputs, _output, slope, range) => [scatterColumns(graph, slope, range)],
};

/**
 * Records `y[b][i][j] = x[b][i][first + j]`: `[B][M][count]`.
 *
 * @throws {RangeError} when a number is not a multiple of 4.
 *
 * @example The keys of a product that has queries, keys and values
 * ```ts
 * import { Graph, pickColumns } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const graph = new Graph();
 * const product = graph.value("qkv", 2 * (64 + 32 + 32));
 * assertEquals(pickColumns({ graph }, product, { of: 128, first: 64, count: 32 }).words, 2 * 32);
 * ```
 */
export function pickColumns(
  { graph }: Pick<ForwardContext, "graph">,
  x: Value,
  range: ColumnRange,
): Value {
  return recordOperation(graph, pickColumnsOperation, [x], range);
}
