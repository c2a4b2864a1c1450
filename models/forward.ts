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

/** What a forward is recorded over. */
export interface ForwardModel {
  /** Shape and constants. */
  readonly config: ModelConfig;
  /** Weights by GGUF name; those of its adapter too. */
  readonly tensors: ReadonlyMap<string, DeviceTensor>;
  /** What is beside the base, if anything. */
  readonly adapter?: FittedAdapter | undefined;
  /** Tables of the architecture by name. */
  readonly constants: ReadonlyMap<string, Storage>;
  /** Gives matrices their inputs: as they are, or with the columns in a matrix's order. */
  readonly columnOrders: { inputs(graph: Graph): RecorderOptions["inputOf"] };
  /** Decides tiles. */
  readonly adapterClass: AdapterClass;
}

/** How trained offsets and noise enter. */
export interface ForwardOffsets {
  /** A fine-tune. */
  readonly offsets: OffsetSet;
  /** Absent: offsets without noise. */
  readonly noise?: {
    readonly law: Law;
    /** How frozen offsets are told; by their value if absent. */
    readonly frozen?: FrozenBy;
    /** Seeds and amplitudes; by tensor where tensors have their turns. */
    readonly branches: Range | ((name: string) => Range);
  } | undefined;
}

/** Bytes of logits held at once; more loss rows are taken in pieces. */
export const LOGITS_BYTES: number = 64 * 2 ** 20;

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
  const { offsets, noise } = trained ?? {};
  // Where a branch's noise stands is known of what is trained alone.
  if (!offsets?.trainable(name)) return undefined;
  return offsets.perturbation(
    name,
    noise && {
      ...noise,
      branches: typeof noise.branches === "function" ? noise.branches(name) : noise.branches,
    },
  );
}

/** What an architecture records a part of the forward with. */
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

/** Records the forward up to what leaves the last block: `[B][M][hidden]`. */
function recordHidden({ config }: ForwardModel, x: Recorder): Value {
  const { embed, block } = architectureOf(config);
  let hidden = embed(x, config);
  for (let layer = 0; layer < config.layers; layer++) hidden = block(x, config, hidden, layer);
  return hidden;
}

/** Loss rows that are taken at once, so that the logits of each piece fit {@linkcode LOGITS_BYTES}. */
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

/** Loss rows whose logits are held at once. */
export interface LossPiece {
  /** Among the loss rows. */
  readonly first: number;
  /** How many. */
  readonly count: number;
}

/** Records the losses of what leaves the last block: logits in pieces, as `head` records them, log-probabilities, losses. */
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
  const x = recorderOf(model, context, { cache });
  const rows = { first: 0, count: shape.lossRows };
  return { graph, logits: recordHead(model, x, context, recordHidden(model, x), rows) };
}

/** Records a forward for what an adapter begins with: the tokens' embeddings as they enter the model, and each layer's keys and values. */
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
  if (!embeddings) throw new TypeError("Cannot start an adapter: the model embeds no tokens");
  return { graph, embeddings, keys, values };
}
