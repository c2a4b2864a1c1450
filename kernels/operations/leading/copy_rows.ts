/**
 * Appends to keys or values others to which all rows of a branch attend.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import { type Operation, recordOperation } from "../../device/operation.ts";
import type { Storage } from "../../device/storage.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import type { ForwardContext } from "../context.ts";
import { sharedBehindAdjoint } from "../adjoints/leading_adjoint.ts";
import { byBranch, byBranchWithTangents, type MatrixByBranch } from "./by_branch.ts";
import source from "./copy_rows.wgsl.ts";

/** Destination of copied rows. */
interface Place {
  readonly branches: number;
  readonly width: number;
  /** Number of rows per branch to copy. */
  readonly rows: number;
  /** Number of rows per branch at the destination. */
  readonly toRows: number;
  /** First of these rows that is written. */
  readonly first: number;
}

function copyRows(
  graph: Graph,
  { values, differs }: MatrixByBranch,
  to: Value | Storage,
  { branches, width, rows, toRows, first }: Place,
): void {
  const total = branches * rows * width / 4;
  graph.add({
    label: "copy rows",
    source,
    key: { BY_BRANCH: differs },
    reads: { 1: values },
    writes: { 3: to },
    parameters: [rows, width / 4, total, toRows, first],
    workgroups: Math.ceil(total / 64),
  });
}

/** Attributes of {@linkcode sharedBehindOperation}. */
export interface SharedBehindAttributes {
  /** Rows, branches, offsets and noise. */
  readonly context: ForwardContext;
  /** The keys or values to append, `[count][width]`, dense. */
  readonly shared: DeviceTensor;
}

/** Input: keys or values `[B][M][width]`. Result: `[B][M + count][width]`, with the shared ones after those of each branch. */
export const sharedBehindOperation: Operation<SharedBehindAttributes> = {
  name: "shared behind",
  record(graph, [x], { context, shared }) {
    const { branches, rows } = context;
    const { rows: count, columns: width } = shared;
    const toRows = rows + count;
    const y = graph.value("keys or values with shared ones", branches * toRows * width);
    const place = { branches, width, toRows };
    copyRows(graph, { values: x as Value, differs: true }, y, { ...place, rows, first: 0 });
    const own = byBranchWithTangents(shared, context);
    copyRows(graph, own, y, { ...place, rows: count, first: rows });
    return y;
  },
  tangent: "linear",
  adjoint: (_graph, _inputs, _output, slope, { context, shared }, gradients) => [
    sharedBehindAdjoint(context, slope, shared, gradients),
  ],
};

/** Records keys or values `[B][M][width]` followed by those of `shared`, `[count][width]`: `[B][M + count][width]`. */
export function sharedBehind(context: ForwardContext, x: Value, shared: DeviceTensor): Value {
  return recordOperation(context.graph, sharedBehindOperation, [x], { context, shared });
}

/**
 * Records shared keys or values, `[count][width]`, into the rows of a cache from `first` on, which are not slots. The forward pass has one branch.
 */
export function storeShared(
  context: ForwardContext,
  shared: DeviceTensor,
  cache: Storage,
  first: number,
): void {
  const { rows, columns: width } = shared;
  const place = { branches: 1, width, rows, toRows: first + rows, first };
  copyRows(context.graph, byBranch(shared, context), cache, place);
}
