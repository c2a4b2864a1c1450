/**
 * Soft limits on logits.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import { type Operation, recordOperation } from "../../device/operation.ts";
import source from "./cap_logits.wgsl.ts";
import { capAdjoint } from "../adjoints/adjoints.ts";
import tangentSource from "../tangents/cap_tangent.wgsl.ts";
import type { ForwardContext } from "../context.ts";

/** Attributes of {@linkcode capLogitsOperation}. */
export interface CapLogitsAttributes {
  /** The limit, greater than 0. */
  readonly cap: number;
}

/** Input: x. Result: x within the limit, in place. */
export const capLogitsOperation: Operation<CapLogitsAttributes> = {
  name: "cap logits",
  inPlace: true,
  record(graph, [input], { cap }) {
    const x = input as Value;
    graph.add({
      label: "cap logits",
      source,
      key: {},
      reads: {},
      writes: { 3: x },
      parameters: [x.words, { f32: cap }],
      workgroups: Math.ceil(x.words / 64),
    });
    return x;
  },
  tangent(graph, [input], { cap }) {
    const x = input as Value;
    const branches = graph.tangents + 1;
    graph.add({
      label: "cap logits tangent",
      source: tangentSource,
      key: {},
      reads: {},
      writes: { 3: x },
      parameters: [x.words / branches, branches, { f32: cap }],
      workgroups: Math.ceil(x.words / branches / 64),
    });
    return x;
  },
  adjoint: (graph, _inputs, output, slope, { cap }) => [capAdjoint(graph, output, slope, cap)],
};

/**
 * Applies `cap * tanh(x / cap)` to every element, in place (Gemma 2, arXiv 2408.00118).
 *
 * @example Logits within 30, as in Gemma 2
 * ```ts
 * import { capLogits, Graph } from "@qzo/qzo/kernels";
 * import { assert } from "@std/assert";
 *
 * const graph = new Graph();
 * const logits = graph.value("logits", 1024);
 * assert(capLogits({ graph }, logits, 30) === logits);
 * ```
 */
export function capLogits({ graph }: Pick<ForwardContext, "graph">, x: Value, cap: number): Value {
  return recordOperation(graph, capLogitsOperation, [x], { cap });
}
