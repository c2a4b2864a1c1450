/**
 * The gradient of a loss with respect to logits, with which a backward pass begins.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import type { Storage } from "../../device/storage.ts";
import type { ForwardContext } from "../context.ts";
import type { LossRows } from "../losses.ts";
import { splitRows } from "../rows.ts";
import lossSource from "./loss_adjoint.wgsl.ts";
import targetSource from "./target_adjoint.wgsl.ts";

/** Records the gradient with respect to the log-probabilities of the loss rows, `[lossRows]`, from the candidates' scores. */
export function lossSlopes(
  { graph, batch, layout }: ForwardContext,
  scores: Storage,
  lossRows: number,
): Value {
  const y = graph.value("slopes by log-probabilities", lossRows);
  graph.add({
    label: "loss adjoint",
    source: lossSource,
    key: {},
    reads: { 1: scores, 2: batch },
    writes: { 3: y },
    parameters: [
      lossRows,
      layout.counts,
      layout.candidateStart,
      layout.exampleStart,
      layout.labels,
    ],
    workgroups: Math.ceil(lossRows / 64),
  });
  return y;
}

/** Records the gradient with respect to logits, `[count][vocabulary]`, from that of the log-probabilities of their targets. */
export function logitSlopes(
  { graph, batch, layout, adapterClass }: ForwardContext,
  logits: Value,
  weights: Value,
  vocabulary: number,
  { first, count }: Pick<LossRows, "first" | "count">,
): Value {
  const y = graph.value("slopes by logits", count * vocabulary);
  const { key, workgroups } = splitRows(adapterClass, count, 128);
  graph.add({
    label: "target adjoint",
    source: targetSource,
    key,
    reads: { 1: logits, 2: batch, 4: weights },
    writes: { 3: y },
    parameters: [count, vocabulary, 1, layout.targets + first, first],
    workgroups,
  });
  return y;
}
