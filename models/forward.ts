/**
 * A whole evaluation as a graph: forward of all branches, log-probabilities at the positions the loss needs, losses. Recorded the
 * same way for running it and for pricing it without a device.
 *
 * @module
 */

import {
  type AdapterClass,
  batchLayout,
  batchLoss,
  type BatchShape,
  type DeviceTensor,
  type ForwardContext,
  Graph,
  matmul,
  type OffsetSet,
  offsetWidth,
  type Perturbation,
  perturbationsOf,
  type Range,
  rmsNorm,
  type Storage,
  targetLogProbability,
  type Value,
} from "../kernels/mod.ts";
import type { FrozenBy } from "../optim/preparations/frozen.ts";
import type { Distribution } from "../optim/directions/noise.ts";
import { architectureOf } from "./architectures.ts";
import type { ColumnOrders } from "./inference/column_orders.ts";
import type { ModelConfig } from "./model_config.ts";
import type { KeyValueCache } from "./architectures/llama.ts";

/** What a forward is recorded over. */
export interface ForwardModel {
  /** Shape and constants. */
  readonly config: ModelConfig;
  /** Weights by GGUF name. */
  readonly tensors: ReadonlyMap<string, DeviceTensor>;
  /** `[positions][pairs](cos, sin)`. */
  readonly ropeTable: Storage;
  /** Of matrices whose columns are not in their place. */
  readonly columnOrders: ColumnOrders;
  /** Decides tiles. */
  readonly adapterClass: AdapterClass;
}

/** How trained offsets and noise enter. */
export interface ForwardOffsets {
  /** A fine-tune. */
  readonly offsets: OffsetSet;
  /** Absent: offsets without noise. */
  readonly noise?: {
    readonly distribution: Distribution;
    /** How frozen offsets are told; by their value if absent. */
    readonly frozen?: FrozenBy;
    /** Seeds and amplitudes; by tensor where tensors have their turns. */
    readonly branches: Range | ((name: string) => Range);
  } | undefined;
}

/** Bytes of logits held at once; more loss rows are taken in pieces. */
export const LOGITS_BYTES: number = 64 * 2 ** 20;

/** A tensor by name. @throws {TypeError} When the model lacks it */
export function weightOf(model: ForwardModel, name: string): DeviceTensor {
  const tensor = model.tensors.get(name);
  if (!tensor) throw new TypeError(`Cannot build the forward: the model has no tensor "${name}"`);
  return tensor;
}

/** The context in which operations of a forward are recorded. */
export function forwardContext(
  model: ForwardModel,
  graph: Graph,
  shape: BatchShape,
  branches: number,
  batch: Storage | Range,
  trained?: ForwardOffsets,
): ForwardContext {
  return {
    graph,
    branches,
    rows: shape.rows,
    batch,
    layout: batchLayout(shape),
    adapterClass: model.adapterClass,
    perturbation: (name) => perturbationOf(name, trained),
  };
}

function perturbationOf(name: string, trained?: ForwardOffsets): Perturbation | undefined {
  const trainable = trained?.offsets.trainable(name);
  if (!trained || !trainable) return undefined;
  const { noise } = trained;
  return {
    offsets: trained.offsets.range(name)!,
    form: trainable.form,
    span: trainable.span,
    stride: offsetWidth(trainable),
    id: trainable.id,
    share: trainable.share,
    gain: trainable.gain,
    noise: noise && {
      distribution: noise.distribution,
      frozen: noise.frozen,
      branches: typeof noise.branches === "function" ? noise.branches(name) : noise.branches,
    },
  };
}

/** Records forward and head for the loss rows `[first, first + count)`: `[B][count][vocabulary]`. */
function headLogits(
  model: ForwardModel,
  context: ForwardContext,
  hidden: Value,
  first: number,
  count: number,
): Value {
  const { config } = model;
  const gain = weightOf(model, "output_norm.weight");
  const head = weightOf(model, config.tiedHead ? "token_embd.weight" : "output.weight");
  const normed = rmsNorm(context, hidden, gain, config.rmsEpsilon, {
    first: context.layout.lossRows + first,
    count,
  });
  const input = model.columnOrders.inputs(context.graph)(normed, head.name);
  return matmul(context.graph, input, head, {
    ...context,
    rows: count,
    ...perturbationsOf(head, context.perturbation),
  });
}

/** Where an evaluation leaves what it finds. */
export interface LossTarget {
  /** Losses by branch. */
  readonly losses: Storage;
  /** Place of the first branch's loss. Default 0. */
  readonly first?: number;
  /** Candidates' scores: `[B][candidates]`. */
  readonly scores: Storage;
}

/** Records an evaluation into `graph`. */
export function recordLoss(
  graph: Graph,
  model: ForwardModel,
  shape: BatchShape,
  branches: number,
  batch: Storage | Range,
  target: LossTarget,
  trained?: ForwardOffsets,
): void {
  const context = forwardContext(model, graph, shape, branches, batch, trained);
  const hidden = architectureOf(model.config).forward(context, model.config, {
    weight: (name) => weightOf(model, name),
    inputOf: model.columnOrders.inputs(graph),
    ropeTable: model.ropeTable,
  });
  const logProbabilities = graph.value("log-probabilities", branches * shape.lossRows);
  const perRow = branches * model.config.vocabulary * 4;
  const piece = Math.max(1, Math.min(shape.lossRows, Math.floor(LOGITS_BYTES / perRow)));
  for (let first = 0; first < shape.lossRows; first += piece) {
    const count = Math.min(piece, shape.lossRows - first);
    const logits = headLogits(model, context, hidden, first, count);
    targetLogProbability(context, logits, model.config.vocabulary, logProbabilities, {
      first,
      count,
      lossRows: shape.lossRows,
    });
  }
  batchLoss(context, logProbabilities, shape, target);
}

/** Records a forward that ends in the logits of the batch's loss rows: `[B][lossRows][vocabulary]`. */
export function recordLogits(
  model: ForwardModel,
  shape: BatchShape,
  batch: Storage | Range,
  trained?: ForwardOffsets,
  cache?: KeyValueCache,
): { graph: Graph; logits: Value } {
  const graph = new Graph();
  const context = forwardContext(model, graph, shape, 1, batch, trained);
  const hidden = architectureOf(model.config).forward(context, model.config, {
    weight: (name) => weightOf(model, name),
    inputOf: model.columnOrders.inputs(graph),
    ropeTable: model.ropeTable,
  }, cache);
  const logits = headLogits(model, context, hidden, 0, shape.lossRows);
  return { graph, logits };
}
