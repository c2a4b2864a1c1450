/**
 * Adjoints of the operations without trained weights: gradients with respect to their inputs, from that of their result.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import type { Operand } from "../../device/operation.ts";
import type { Storage } from "../../device/storage.ts";
import type { ForwardContext, RowList } from "../context.ts";
import addSource from "../add.wgsl.ts";
import copySource from "../pick_columns.wgsl.ts";
import type { SlopeKind } from "../tangents/activation_tangent.ts";
import activationSource from "./activation_adjoint.wgsl.ts";
import capSource from "./cap_adjoint.wgsl.ts";
import namedSource from "./named_rows.wgsl.ts";
import columnsSource from "./scatter_columns.wgsl.ts";
import rowsSource from "./scatter_rows.wgsl.ts";

/** Records `a + b`, the gradient with respect to a value that is read twice. */
export function addSlopes(graph: Graph, a: Value, b: Value): Value {
  const y = graph.value("slope", a.words);
  const isQuads = a.words % 4 === 0;
  if (!isQuads) {
    throw new RangeError(`Cannot add slopes of ${a.words} elements: expected a multiple of 4`);
  }
  graph.add({
    label: "add slopes",
    source: addSource,
    key: {},
    reads: { 1: a, 2: b },
    writes: { 3: y },
    parameters: [a.words / 4],
    workgroups: Math.ceil(a.words / 4 / 64),
  });
  return y;
}

/** Records a copy of a gradient, for an operation in place. */
export function copiedSlope(graph: Graph, slope: Value): Value {
  const y = graph.value("slope", slope.words);
  const total = slope.words / 4;
  graph.add({
    label: "copy slope",
    source: copySource,
    key: {},
    reads: { 1: slope },
    writes: { 2: y },
    parameters: [total, total, total, 0],
    workgroups: Math.ceil(total / 64),
  });
  return y;
}

/** Records the gradient with respect to x and, if given, with respect to `times`, which the function of x was multiplied by. */
export function activationAdjoint(
  graph: Graph,
  [x, times]: readonly Operand[],
  slope: Value,
  kind: SlopeKind,
): Value[] {
  const y = graph.value(`slopes by ${kind}`, slope.words);
  const other = times && graph.value(`slopes by what ${kind} multiplies`, slope.words);
  const total = slope.words / 4;
  const others: Record<number, Value> = other ? { 4: other } : {};
  graph.add({
    label: `${kind} adjoint`,
    source: activationSource,
    key: { KIND: kind, TIMES: times !== undefined },
    reads: { 1: x, 2: times, 5: slope },
    writes: { 3: y, ...others },
    parameters: [total],
    workgroups: Math.ceil(total / 64),
  });
  return other ? [y, other] : [y];
}

/** Records the gradient with respect to a value before it was capped, from the capped value. */
export function capAdjoint(graph: Graph, value: Value, slope: Value, cap: number): Value {
  const y = graph.value("slopes by uncapped", slope.words);
  graph.add({
    label: "cap adjoint",
    source: capSource,
    key: { CAPPED: true },
    reads: { 1: value, 5: slope },
    writes: { 3: y },
    parameters: [slope.words, { f32: cap }],
    workgroups: Math.ceil(slope.words / 64),
  });
  return y;
}

/** Records `factor` times a gradient. */
export function scaledSlope(graph: Graph, slope: Value, factor: number): Value {
  const y = graph.value("slope", slope.words);
  graph.add({
    label: "scale slope",
    source: capSource,
    key: { CAPPED: false },
    reads: { 5: slope },
    writes: { 3: y },
    parameters: [slope.words, { f32: factor }],
    workgroups: Math.ceil(slope.words / 64),
  });
  return y;
}

/** Records the gradient with respect to all rows from that of the rows of a list, in which a row may occur several times. */
export function scatterRows(
  { graph, rows, batch }: ForwardContext,
  slope: Value,
  width: number,
  { first, count }: RowList,
): Value {
  const named = graph.value("places that name a row", rows * 2);
  graph.add({
    label: "named rows",
    source: namedSource,
    key: {},
    reads: { 2: batch },
    writes: { 3: named },
    parameters: [rows, count, first],
    work: rows * count,
    workgroups: Math.ceil(rows / 64),
  });
  const y = graph.value("slopes by all rows", rows * width);
  graph.add({
    label: "scatter rows",
    source: rowsSource,
    key: {},
    reads: { 1: slope, 2: batch, 4: named },
    writes: { 3: y },
    parameters: [y.words / 4, width / 4, first],
    workgroups: Math.ceil(y.words / 4 / 64),
  });
  return y;
}

/** Records the gradient with respect to all columns from that of a range of them, or of all in another order. */
export function scatterColumns(
  graph: Graph,
  slope: Value,
  { of, first, count, order }: {
    readonly of: number;
    readonly first: number;
    readonly count: number;
    readonly order?: Storage;
  },
): Value {
  const y = graph.value("slopes by all columns", slope.words / count * of);
  graph.add({
    label: "scatter columns",
    source: columnsSource,
    key: { ORDERED: order !== undefined },
    reads: { 1: slope, 2: order },
    writes: { 3: y },
    parameters: [y.words, of, first, count],
    workgroups: Math.ceil(y.words / 64),
  });
  return y;
}
