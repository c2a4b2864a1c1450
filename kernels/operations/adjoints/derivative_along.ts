/**
 * Combines a backward pass with tangents: the derivative of the loss along a direction that perturbs only the blocks below.
 *
 * @module
 */

import type { Graph, Value } from "../../device/graph.ts";
import type { Storage } from "../../device/storage.ts";
import { gradientProduct } from "../../offsets/gradient_product.ts";
import copySource from "../pick_columns.wgsl.ts";

/** Records a copy of branch `branch` out of the `of` branches of a value. Branches have a multiple of 4 elements. */
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

/** Records the dot product of the gradient with respect to a value and a tangent of that value into `target.result[target.index]`. */
export function derivativeAlong(
  graph: Graph,
  slope: Value,
  tangent: Value,
  target: { readonly result: Storage; readonly index: number },
): void {
  gradientProduct(graph, [{ gradient: slope, bytes: slope.words * 4, tangent }], target);
}
