/**
 * The gradient of a loss as a graph: a forward pass that keeps the inputs of blocks, and a backward pass that recomputes blocks and applies the
 * adjoints of their operations.
 *
 * @module
 */

import type {
  BatchShape,
  ForwardContext,
  Graph,
  OffsetSet,
  Range,
  Storage,
  Value,
} from "../kernels/mod.ts";
import {
  type Gradients,
  type Operand,
  operationsOf,
  recordAdjoints,
  type RecordedOperation,
} from "../kernels/device/operation.ts";
import { prune } from "../kernels/device/prune.ts";
import { addSlopes, scaledSlope } from "../kernels/operations/adjoints/adjoints.ts";
import { branchAlone, derivativeAlong } from "../kernels/operations/adjoints/derivative_along.ts";
import { logitSlopes, lossSlopes } from "../kernels/operations/adjoints/loss_adjoint.ts";
import { architectureOf } from "./architectures.ts";
import {
  forwardContext,
  type ForwardModel,
  type ForwardOffsets,
  type LossPiece,
  lossPieces,
  type LossTarget,
  recorderOf,
  recordHead,
  recordLossOf,
} from "./forward.ts";
import type { Recorder } from "./recorder.ts";

/** What is kept of the forward pass, so that it need not be recomputed. */
export interface GradientOptions {
  /**
   * `"block"`: the input of each block, which is recomputed in the backward pass. A number n: the input of every n-th block; the blocks in between
   * are recomputed together. `"all"`: the results of all operations; nothing is recomputed. Default `"block"`.
   */
  readonly checkpoints?: "block" | "all" | number | undefined;
}

/**
 * Records an evaluation of one branch, without noise, and the gradient of its loss with respect to all offsets, which is added to `gradients`. No two
 * invocations add to the same number, so every run gives the same bits. The choice of checkpoints does not change them.
 *
 * @throws {TypeError} when an operation, or what is trained of it, has no adjoint.
 * @throws {RangeError} when `checkpoints` is not a positive whole number.
 */
export function recordGradient(
  graph: Graph,
  model: ForwardModel,
  shape: BatchShape,
  batch: Storage | Range,
  target: LossTarget,
  offsets: OffsetSet,
  gradients: Gradients,
  { checkpoints }: GradientOptions = {},
): void {
  const begun = graph.dispatches.length;
  const context = forwardContext(model, graph, shape, 1, batch, { offsets });
  const { config } = model;
  const embed = () => recorded(model, context, (x) => architectureOf(config).embed(x, config));
  const embedded = embed();
  const { slope, again } = recordAbove(model, context, shape, target, gradients, {
    ...{ first: 0, input: embedded.result, share: 1, checkpoints },
  });
  back(context, again ? embed() : embedded, slope, gradients);
  // Removes unused dispatches, such as the last product of a recomputed block, and gradients with respect to values that do not depend on anything
  // trained.
  prune(graph, begun);
}

/** Options of a gradient of the last blocks that shares its forward pass with branches. */
export interface HybridOptions extends GradientOptions {
  /** Index of the first block whose gradient is computed. */
  readonly first: number;
  /** Number of branches in which the blocks below it are evaluated. */
  readonly branches: number;
  /** Whether the branches after the first are its tangents. */
  readonly tangents: boolean;
  /** Noise of the offsets in the blocks below. */
  readonly noise: ForwardOffsets["noise"];
}

/**
 * Records several branches together up to block `first`, and each of them separately from there on: the losses, and the gradient with respect to
 * the offsets trained there. The mean gradient over the branches is added to `gradients`. If branches are tangents, only the first continues;
 * the derivative of each other branch is its product with the gradient at the split, stored in its place among the losses.
 *
 * @throws {TypeError} when something is trained and read on the wrong side of the split, or has no adjoint.
 */
export function recordHybridGradient(
  graph: Graph,
  model: ForwardModel,
  shape: BatchShape,
  batch: Storage | Range,
  target: LossTarget,
  offsets: OffsetSet,
  gradients: Gradients,
  { first, branches, tangents, noise, checkpoints }: HybridOptions,
): void {
  const begun = graph.dispatches.length;
  const { config } = model;
  const { embed, block } = architectureOf(config);
  const below = () => {
    const context = forwardContext(model, graph, shape, branches, batch, { offsets, noise });
    const x = recorderOf(model, context);
    let hidden = embed(x, config);
    for (let layer = 0; layer < first; layer++) hidden = block(x, config, hidden, layer);
    return hidden;
  };
  const hidden = tangents ? graph.withTangents(branches - 1, below) : below();
  const alone = Array.from(
    { length: branches },
    (_, branch) => branchAlone(graph, hidden, { branch, of: branches }),
  );
  const context = forwardContext(model, graph, shape, 1, batch, { offsets });
  const split = new SplitGradients(offsets, gradients);
  const ahead = tangents ? alone.slice(0, 1) : alone;
  ahead.forEach((input, branch) => {
    const { slope } = recordAbove(model, context, shape, { ...target, first: branch }, split, {
      ...{ first, input, share: 1 / ahead.length, checkpoints },
    });
    alone.slice(ahead.length).forEach((tangent, q) => {
      derivativeAlong(graph, slope, tangent, { result: target.losses, index: 1 + q });
    });
  });
  split.assertAll();
  prune(graph, begun);
}

/** The gradients of the part after a split. Everything trained must be used only on its own side. */
class SplitGradients implements Gradients {
  readonly #offsets: OffsetSet;
  readonly #gradients: Gradients;
  readonly #asked = new Set<string>();

  constructor(offsets: OffsetSet, gradients: Gradients) {
    this.#offsets = offsets;
    this.#gradients = gradients;
  }

  of(name: string): Range | undefined {
    const trainable = this.#offsets.trainable(name);
    if (!trainable) return undefined;
    if (!trainable.exact) {
      throw new TypeError(
        `Cannot train "${name}" along noise: the blocks whose gradient is exact read it too; leave it out of what is trained`,
      );
    }
    this.#asked.add(name);
    return this.#gradients.of(name);
  }

  /** Rejects trained parameters that would never move. */
  assertAll(): void {
    const missing = this.#offsets.trainables.find(({ name, exact }) =>
      exact && !this.#asked.has(name)
    );
    if (!missing) return;
    throw new TypeError(
      `Cannot take the gradient of "${missing.name}": the blocks whose gradient is exact do not read it; leave it out of what is trained`,
    );
  }
}

/** Where a differentiated forward pass starts, and what happens to its gradients. */
interface AboveOptions extends GradientOptions {
  /** The first block. */
  readonly first: number;
  /** The hidden states that enter the block. */
  readonly input: Value;
  /** Factor for all gradients. */
  readonly share: number;
}

/**
 * Records the forward pass from a block on, its loss, and the backward pass to the input of that block. Returns the gradient with respect to
 * that input, and whether anything was recomputed.
 */
function recordAbove(
  model: ForwardModel,
  context: ForwardContext,
  shape: BatchShape,
  target: LossTarget,
  gradients: Gradients,
  { first: begin, input: entering, share, checkpoints = "block" }: AboveOptions,
): { readonly slope: Value; readonly again: boolean } {
  const { graph } = context;
  const { config } = model;
  const { block } = architectureOf(config);
  const each = blocksKept(checkpoints, config.layers);
  const blocks = (first: number, input: Value) =>
    recorded(model, context, (x) => {
      let hidden = input;
      const end = Math.min(first + each, config.layers);
      for (let layer = first; layer < end; layer++) hidden = block(x, config, hidden, layer);
      return hidden;
    });
  const parts: { readonly first: number; readonly input: Value; readonly made: Recorded }[] = [];
  let last = entering;
  for (let first = begin; first < config.layers; first += each) {
    const made = blocks(first, last);
    parts.push({ first, input: last, made });
    last = made.result;
  }
  const pieces = lossPieces(model, shape, 1);
  const heads = new Map<number, Recorded>();
  const head = (piece: LossPiece) =>
    recorded(model, context, (x) => recordHead(model, x, context, last, piece));
  recordLossOf(model, context, shape, target, (piece) => {
    const made = head(piece);
    // If there are several pieces, their logits are not held at the same time.
    if (pieces.length === 1) heads.set(piece.first, made);
    return made.result;
  });
  const whole = lossSlopes(context, target.scores, shape.lossRows);
  const weights = share === 1 ? whole : scaledSlope(graph, whole, share);
  let slope: Value | undefined;
  for (const piece of pieces) {
    const made = heads.get(piece.first) ?? head(piece);
    const seed = logitSlopes(context, made.result, weights, config.vocabulary, piece);
    const found = back(context, made, seed, gradients).get(last)!;
    slope = slope ? addSlopes(graph, slope, found) : found;
  }
  parts.toReversed().forEach(({ first, input, made }, i) => {
    // The results of the last blocks are still available.
    const again = i === 0 ? made : blocks(first, input);
    slope = back(context, again, slope!, gradients).get(input)!;
  });
  return { slope: slope!, again: parts.length > 1 };
}

/** Each gets its own recorder, because anything cached for a value, such as its reordered columns, must be recomputed together with the blocks. */
function recorded(
  model: ForwardModel,
  context: ForwardContext,
  record: (x: Recorder) => Value,
): Recorded {
  const first = operationsOf(context.graph).length;
  const result = record(recorderOf(model, context));
  return { result, operations: operationsOf(context.graph).slice(first) };
}

/** Records the backward pass over a part of the forward pass: the gradients with respect to its inputs. */
function back(
  { graph }: ForwardContext,
  { result, operations }: Recorded,
  slope: Value,
  gradients: Gradients,
): ReadonlyMap<Operand, Value> {
  const slopes = new Map<Operand, Value>([[result, slope]]);
  recordAdjoints(graph, operations, slopes, gradients, addSlopes);
  return slopes;
}

/** Number of blocks between two inputs that are kept. */
function blocksKept(checkpoints: "block" | "all" | number, layers: number): number {
  if (checkpoints === "block") return 1;
  if (checkpoints === "all") return layers;
  if (Number.isSafeInteger(checkpoints) && checkpoints >= 1) return Math.min(checkpoints, layers);
  throw new RangeError(
    `Cannot keep the input of every ${checkpoints} blocks: it must be a whole number from 1 on, "block" or "all"`,
  );
}

/** A part of the forward pass: its result and its operations. */
interface Recorded {
  readonly result: Value;
  readonly operations: readonly RecordedOperation[];
}
