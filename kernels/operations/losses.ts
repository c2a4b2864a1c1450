/**
 * Computes log-probabilities from logits, and losses from log-probabilities.
 *
 * @module
 */

import type { Graph, Value } from "../device/graph.ts";
import { type Operand, type Operation, recordOperation } from "../device/operation.ts";
import type { Storage } from "../device/storage.ts";
import batchLossSource from "./batch_loss.wgsl.ts";
import type { ForwardContext } from "./context.ts";
import { splitRows } from "./rows.ts";
import lossTangentSource from "./tangents/loss_tangent.wgsl.ts";
import targetTangentSource from "./tangents/target_tangent.wgsl.ts";
import targetSource from "./target_log_probability.wgsl.ts";

/** A subset of a branch's loss rows, computed together. */
export interface LossRows {
  /** Index of the first, among the loss rows of a branch. */
  readonly first: number;
  /** Number of rows. */
  readonly count: number;
  /** Number of all loss rows of a branch. */
  readonly lossRows: number;
}

/** Attributes of {@linkcode targetLogProbabilityOperation}. */
export interface TargetAttributes extends LossRows {
  /** Branches, and the batch with its targets. */
  readonly context: ForwardContext;
  /** Number of logits per row. */
  readonly vocabulary: number;
  /** Result `[B][lossRows]`, of which this operation fills a part. */
  readonly out: Value;
}

/** Input: logits. Result: log-probabilities of the targets. */
export const targetLogProbabilityOperation: Operation<TargetAttributes> = {
  name: "target log-probability",
  record(graph, [logits], { context, vocabulary, out, first, count, lossRows }) {
    const { branches, batch, layout, adapterClass } = context;
    const { key, workgroups } = splitRows(adapterClass, branches * count, 128);
    graph.add({
      label: "target log-probability",
      source: targetSource,
      key: {
        ...key,
        WIDTH: vocabulary % 4 === 0 ? 4 : 1,
      },
      reads: { 1: logits, 2: batch },
      writes: { 3: out },
      parameters: [count, vocabulary, branches, layout.targets + first, lossRows, first],
      workgroups,
    });
    return out;
  },
  tangent(graph, [logits], { context, vocabulary, out, first, count, lossRows }) {
    const { branches, batch, layout, adapterClass } = context;
    const directions = branches - 1;
    const { key, workgroups } = splitRows(adapterClass, directions * count, 128);
    graph.add({
      label: "target log-probability tangent",
      source: targetTangentSource,
      key,
      reads: { 1: logits, 2: batch },
      writes: { 3: out },
      parameters: [count, vocabulary, directions, layout.targets + first, lossRows, first],
      workgroups,
    });
    return out;
  },
};

/**
 * Writes the log-probabilities of the targets of `list` into `out` (`[B][lossRows]`), from logits
 * `[B][list.count][vocabulary]`.
 *
 * @example All loss rows at once
 * ```ts
 * import { batchLayout, Graph, Storage, targetLogProbability } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const logits = context.graph.value("logits", 2 * 4 * 1024);
 * const out = context.graph.value("log-probabilities", 2 * 4);
 * targetLogProbability(context, logits, 1024, out, { first: 0, count: 4, lossRows: 4 });
 * assertEquals(context.graph.dispatches.length, 1);
 * ```
 */
export function targetLogProbability(
  context: ForwardContext,
  logits: Value,
  vocabulary: number,
  out: Value,
  { first, count, lossRows }: LossRows,
): void {
  recordOperation(context.graph, targetLogProbabilityOperation, [logits], {
    ...{ context, vocabulary, out },
    ...{ first, count, lossRows },
  });
}

/** Attributes of {@linkcode batchLossOperation}. */
export interface BatchLossAttributes {
  /** Branches, and the batch with its examples. */
  readonly context: ForwardContext;
  /** Loss rows per branch. */
  readonly lossRows: number;
  /** Candidates per branch. */
  readonly candidates: number;
  /** Receives the losses. */
  readonly losses: Storage;
  /** Index of the first branch's loss in `losses`. */
  readonly first: number;
  /** Receives the scores of candidates, `[B][candidates]`. */
  readonly scores: Storage;
}

/** Input: log-probabilities. Result: losses by branch. */
export const batchLossOperation: Operation<BatchLossAttributes, Storage> = {
  name: "batch loss",
  record(graph, [logProbabilities], attributes) {
    recordLosses(graph, logProbabilities, attributes, attributes.context.branches);
    return attributes.losses;
  },
  // The value is always the first loss of the step, whichever of its directions these are.
  tangent(graph, [logProbabilities], { context, lossRows, losses, first, scores, ...rest }) {
    const { branches, batch, layout } = context;
    const value = { context, lossRows, losses, scores, ...rest };
    recordLosses(graph, logProbabilities, { ...value, first: 0 }, 1);
    graph.add({
      label: "batch loss tangent",
      source: lossTangentSource,
      key: {},
      reads: { 1: logProbabilities, 2: batch, 4: scores },
      writes: { 3: losses },
      parameters: [
        lossRows,
        layout.counts,
        layout.candidateStart,
        layout.exampleStart,
        layout.labels,
        first + 1,
      ],
      workgroups: branches - 1,
    });
    return losses;
  },
};

function recordLosses(
  graph: Graph,
  logProbabilities: Operand,
  { context, lossRows, candidates, losses, first, scores }: BatchLossAttributes,
  branches: number,
): void {
  const { batch, layout } = context;
  graph.add({
    label: "batch loss",
    source: batchLossSource,
    key: {},
    reads: { 1: logProbabilities, 2: batch },
    writes: { 3: losses, 4: scores },
    parameters: [
      lossRows,
      candidates,
      layout.counts,
      layout.candidateStart,
      layout.exampleStart,
      layout.labels,
      first,
    ],
    workgroups: branches,
  });
}

/**
 * Records the losses by branch into `losses`, starting at index `first` (default 0), and the mean log-probabilities of
 * candidates into `scores` (`[B][candidates]`).
 *
 * @example A loss for each of two branches
 * ```ts
 * import { batchLayout, batchLoss, Graph, Storage } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = batchLayout({ rows: 4, lossRows: 4, candidates: 1, examples: 1 });
 * const batch = new Storage("batch", layout.words * 4, "scratch");
 * const shape = { branches: 2, rows: 4, adapterClass: "hardware", perturbation: () => undefined } as const;
 * const context = { ...shape, graph: new Graph(), batch, layout };
 * const [losses, scores] = ["losses", "scores"].map((label) => new Storage(label, 2 * 4, "activations"));
 * const logProbabilities = context.graph.value("log-probabilities", 2 * 4);
 * batchLoss(context, logProbabilities, { lossRows: 4, candidates: 1 }, { losses, scores });
 * assertEquals(context.graph.dispatches[0].workgroups, 2);
 * ```
 */
export function batchLoss(
  context: ForwardContext,
  logProbabilities: Value,
  { lossRows, candidates }: { readonly lossRows: number; readonly candidates: number },
  { losses, first = 0, scores }: {
    readonly losses: Storage;
    readonly first?: number;
    readonly scores: Storage;
  },
): void {
  recordOperation(context.graph, batchLossOperation, [logProbabilities], {
    ...{ context, lossRows, candidates },
    ...{ losses, first, scores },
  });
}
