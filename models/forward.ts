/**
 * A whole evaluation as a graph: the forward pass of all branches, log-probabilities at the positions that the loss needs, and losses. It is
 * recorded in the same way whether it is run or only used to compute memory use without a device.
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
  type OffsetSet,
  type Perturbation,
  type Range,
  type Storage,
  targetLogProbability,
  type Value,
} from "../kernels/mod.ts";
import type { FrozenBy } from "../optim/preparations/frozen.ts";
import type { Law } from "../optim/directions/noise.ts";
import type { FittedAdapter } from "./adapters/adapted.ts";
import { architectureOf } from "./architectures.ts";
import type { ModelConfig } from "./model_config.ts";
import {
  GraphRecorder,
  type KeyValueCache,
  type Recorder,
  type RecorderOptions,
} from "./recorder.ts";

/** The model that a forward pass is recorded for. */
export interface ForwardModel {
  /** Shape and constants. */
  readonly config: ModelConfig;
  /** Weights by GGUF name, including those of its adapter. */
  readonly tensors: ReadonlyMap<string, DeviceTensor>;
  /** The adapter. Undefined if there is none. */
  readonly adapter?: FittedAdapter | undefined;
  /** The architecture's tables, by name. */
  readonly constants: ReadonlyMap<string, Storage>;
  /** Provides the inputs of matrices, with columns reordered if a matrix requires it. */
  readonly columnOrders: { inputs(graph: Graph): RecorderOptions["inputOf"] };
  /** Class of the adapter, which determines tiles. */
  readonly adapterClass: AdapterClass;
}

/** Trained offsets and noise. */
export interface ForwardOffsets {
  /** The offsets of a fine-tune. */
  readonly offsets: OffsetSet;
  /** The noise of the branches. If absent, only the offsets apply. */
  readonly noise?: {
    readonly law: Law;
    /** How frozen offsets are recognised. Default: by their value. */
    readonly frozen?: FrozenBy;
    /** Seeds and amplitudes of the branches; a function of the tensor name if tensors take turns. */
    readonly branches: Range | ((name: string) => Range);
  } | undefined;
}

/** The most bytes of logits held at once. More loss rows are computed in pieces. */
export const LOGITS_BYTES: number = 64 * 2 ** 20;

/** The context for recording the operations of a forward pass. */
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
  const { offsets, noise } = trained ?? {};
  // The position of a branch's noise is known only for trained tensors.
  if (!offsets?.trainable(name)) return undefined;
  return offsets.perturbation(
    name,
    noise && {
      ...noise,
      branches: typeof noise.branches === "function" ? noise.branches(name) : noise.branches,
    },
  );
}

/** The recorder for an architecture's part of the forward pass. */
export function recorderOf(
  model: ForwardModel,
  context: ForwardContext,
  options: Partial<RecorderOptions> = {},
): Recorder {
  return new GraphRecorder({
    context,
    weight: (name) => model.tensors.get(name),
    constant: (name) => constantOf(model, name),
    inputOf: model.columnOrders.inputs(context.graph),
    adapter: model.adapter,
    ...options,
  });
}

function constantOf({ constants }: ForwardModel, name: string): Storage {
  const found = constants.get(name);
  if (!found) {
    throw new TypeError(`Cannot build the forward: the architecture has no table "${name}"`);
  }
  return found;
}

/** Records the forward pass up to the output of the last block: `[B][M][hidden]`. */
function recordHidden({ config }: ForwardModel, x: Recorder): Value {
  const { embed, block } = architectureOf(config);
  let hidden = embed(x, config);
  for (let layer = 0; layer < config.layers; layer++) hidden = block(x, config, hidden, layer);
  return hidden;
}

/** Divides loss rows so that the logits of each piece fit {@linkcode LOGITS_BYTES}. */
export function lossPieces(
  { config }: ForwardModel,
  { lossRows }: BatchShape,
  branches: number,
): LossPiece[] {
  const perRow = branches * config.vocabulary * 4;
  const piece = Math.max(1, Math.min(lossRows, Math.floor(LOGITS_BYTES / perRow)));
  return Array.from({ length: Math.ceil(lossRows / piece) }, (_, i) => ({
    first: i * piece,
    count: Math.min(piece, lossRows - i * piece),
  }));
}

/** Loss rows whose logits are held at the same time. */
export interface LossPiece {
  /** Index of the first, among the loss rows. */
  readonly first: number;
  /** Number of rows. */
  readonly count: number;
}

/** Records the losses from the output of the last block: logits in pieces (recorded by `head`), log-probabilities, losses. */
export function recordLossOf(
  model: ForwardModel,
  context: ForwardContext,
  shape: BatchShape,
  target: LossTarget,
  head: (piece: LossPiece) => Value,
): void {
  const { graph, branches } = context;
  const { vocabulary } = model.config;
  const logProbabilities = graph.value("log-probabilities", branches * shape.lossRows);
  for (const piece of lossPieces(model, shape, branches)) {
    const rows = { ...piece, lossRows: shape.lossRows };
    targetLogProbability(context, head(piece), vocabulary, logProbabilities, rows);
  }
  batchLoss(context, logProbabilities, shape, target);
}

/** Records the head for the loss rows `[first, first + count)`: `[B][count][vocabulary]`. */
export function recordHead(
  { config }: ForwardModel,
  x: Recorder,
  { layout }: ForwardContext,
  hidden: Value,
  { first, count }: LossPiece,
): Value {
  return architectureOf(config).head(x, config, hidden, { first: layout.lossRows + first, count });
}

/** Where an evaluation stores its results. */
export interface LossTarget {
  /** Losses by branch. */
  readonly losses: Storage;
  /** Index of the first branch's loss. Default 0. */
  readonly first?: number;
  /** Scores of candidates, `[B][candidates]`. */
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
  const x = recorderOf(model, context);
  const hidden = recordHidden(model, x);
  recordLossOf(
    model,
    context,
    shape,
    target,
    (piece) => recordHead(model, x, context, hidden, piece),
  );
}

/** Records a forward pass that ends with the logits of the batch's loss rows: `[B][lossRows][vocabulary]`. */
export function recordLogits(
  model: ForwardModel,
  shape: BatchShape,
  batch: Storage | Range,
  trained?: ForwardOffsets,
  cache?: KeyValueCache,
): { graph: Graph; logits: Value } {
  const graph = new Graph();
  const context = forwardContext(model, graph, shape, 1, batch, trained);
  const x = recorderOf(model, context, { cache });
  const rows = { first: 0, count: shape.lossRows };
  return { graph, logits: recordHead(model, x, context, recordHidden(model, x), rows) };
}

/**
 * Records the forward pass that provides an adapter's initial values: the tokens' embeddings as they enter the model, and the keys and values of
 * every layer.
 */
export function recordStart(
  model: ForwardModel,
  shape: BatchShape,
  batch: Storage | Range,
): {
  readonly graph: Graph;
  readonly embeddings: Value;
  readonly keys: readonly Value[];
  readonly values: readonly Value[];
} {
  const graph = new Graph();
  const context = forwardContext(model, graph, shape, 1, batch);
  const [keys, values]: [Value[], Value[]] = [[], []];
  let embeddings: Value | undefined;
  const x = recorderOf(model, context, {
    adapter: undefined,
    onEmbeddings: (found) => embeddings = found,
    onKeys: (layer, k, v) => {
      keys[layer] = k;
      values[layer] = v;
    },
  });
  recordHidden(model, x);
  if (!embeddings) throw new TypeError("Cannot start an adapter: the model has no token embedding");
  return { graph, embeddings, keys, values };
}
