/**
 * Where a walk backwards meets tangents: the derivative of the loss along a direction that only what lies below moves along.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import type { Storage } from "../../device/storage.ts";
import copySource from "../pick_columns.wgsl.ts";
import source from "./derivative_along.wgsl.ts";

/** Workgroups that share the sum at most. */
const MOST_PARTIALS = 256;

/** Records branch `branch` of the `of` that a value has, alone. Branches have a multiple of 4 elements each. */
export function branchAlone(
  graph: Graph,
  value: Value,
  { branch, of }: { readonly branch: number; readonly of: number },
): Value {
  const y = graph.value(`branch ${branch} of ${value.label}`, value.words / of);
  const total = y.words / 4;
  graph.add({
    label: "one branch",
    source: copySource,
    key: {},
    reads: { 1: value },
    writes: { 2: y },
    parameters: [total, total, of * total, branch * total],
    workgroups: Math.ceil(total / 64),
  });
  return y;
}

/** Records the product of slopes of a loss by a value and a tangent of that value into `result[index]`. */
export function derivativeAlong(
  graph: Graph,
  slope: Value,
  tangent: Value,
  { result, index }: { readonly result: Storage; readonly index: number },
): void {
  const total = slope.words / 4;
  const count = Math.min(MOST_PARTIALS, Math.ceil(total / 64));
  const partials = graph.value("partial derivatives", count);
  graph.add({
    label: "partial derivatives",
    source,
    key: { LAST: false },
    reads: { 1: slope, 2: tangent },
    writes: { 3: partials },
    parameters: [total, 0],
    workgroups: count,
  });
  graph.add({
    label: "derivative along tangent",
    source,
    key: { LAST: true },
    reads: { 1: partials },
    writes: { 3: result },
    parameters: [count, index],
    workgroups: 1,
  });
}
