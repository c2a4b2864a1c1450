/**
 * Keys or values with others behind them that all rows of a branch see.
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

/** Where rows go. */
interface Place {
  readonly branches: number;
  readonly width: number;
  /** Rows of one branch that are copied. */
  readonly rows: number;
  /** Rows of one branch where they go. */
  readonly toRows: number;
  /** The first of them. */
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

/** What {@linkcode sharedBehindOperation} takes. */
export interface SharedBehindAttributes {
  /** Rows, branches, offsets and noise. */
  readonly context: ForwardContext;
  /** `[count][width]`, dense. */
  readonly shared: DeviceTensor;
}

/** Keys or values `[B][M][width]` to `[B][M + count][width]`: behind each branch's those that all its rows share. */
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

/** Records keys or values `[B][M][width]` with those of `shared`, `[count][width]`, behind them: `[B][M + count][width]`. */
export function sharedBehind(context: ForwardContext, x: Value, shared: DeviceTensor): Value {
  return recordOperation(context.graph, sharedBehindOperation, [x], { context, shared });
}

/**
 * Records shared keys or values, `[count][width]`, into the rows of a cache from `first` on, which no slot has. The forward has one branch.
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
