/**
 * The gradient of a loss as a graph: a forward that keeps the inputs of blocks, and a walk backwards that computes blocks again and goes
 * through their operations by their adjoints.
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

/** What a gradient keeps of the forward, so as not to compute it again. */
export interface GradientOptions {
  /**
   * `"block"`: the input of each block, which is computed again on the way back. A number: the input of every so many blocks, which are computed again
   * together. `"all"`: what every operation leaves; nothing is computed again. Default `"block"`.
   */
  readonly checkpoints?: "block" | "all" | number | undefined;
}

/**
 * Records an evaluation of one branch, without noise, and the slopes of its loss by all offsets, added to `gradients`. No two invocations add
 * to the same number, so that the same bits come out on every run; what is kept changes no bit.
 *
 * @throws {TypeError} For an operation, or what is trained of it, that has no adjoint
 * @throws {RangeError} For checkpoints that are no whole number of blocks
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
  // Such as the last product of a block that is computed again, and slopes by what nothing is trained of.
  prune(graph, begun);
}

/** What a gradient of the last blocks shares its forward with. */
export interface HybridOptions extends GradientOptions {
  /** The first block whose gradient is taken. */
  readonly first: number;
  /** Branches that the blocks below are evaluated in. */
  readonly branches: number;
  /** Whether those after the first are its tangents. */
  readonly tangents: boolean;
  /** What offsets of the blocks below have. */
  readonly noise: ForwardOffsets["noise"];
}

/**
 * Records an evaluation of several branches up to block `first`, and of each by itself what is behind: losses, and the slopes by the offsets of what
 * is trained there, whose mean over the branches is added to `gradients`. Where branches are tangents the first alone goes on; of each other the
 * derivative is the product with the slope that the walk back ends with, in its place among the losses.
 *
 * @throws {TypeError} For what is trained and read on the wrong side of the split, or has no adjoint
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

/** The gradients of what is behind a split, which holds what is trained to its side. */
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

  /** Refuses what would never move. */
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

/** Where a forward that is differentiated begins, and what becomes of its slopes. */
interface AboveOptions extends GradientOptions {
  /** The first block. */
  readonly first: number;
  /** What enters it. */
  readonly input: Value;
  /** What multiplies all slopes. */
  readonly share: number;
}

/** Records the forward from a block on, its loss, and the walk back to what enters that block: the slope by it, and whether anything was computed again. */
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
    // Logits of several pieces are not held at once.
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
    // What the last blocks left is still there.
    const again = i === 0 ? made : blocks(first, input);
    slope = back(context, again, slope!, gradients).get(input)!;
  });
  return { slope: slope!, again: parts.length > 1 };
}

/** A recorder of its own each: what one has made of a value, such as its columns in order, must be computed again with the blocks. */
function recorded(
  model: ForwardModel,
  context: ForwardContext,
  record: (x: Recorder) => Value,
): Recorded {
  const first = operationsOf(context.graph).length;
  const result = record(recorderOf(model, context));
  return { result, operations: operationsOf(context.graph).slice(first) };
}

/** Records the walk back over a part of the forward: slopes by what it reads. */
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

/** Blocks between two inputs that are kept. */
function blocksKept(checkpoints: "block" | "all" | number, layers: number): number {
  if (checkpoints === "block") return 1;
  if (checkpoints === "all") return layers;
  if (Number.isSafeInteger(checkpoints) && checkpoints >= 1) return Math.min(checkpoints, layers);
  throw new RangeError(
    `Cannot keep the input of every ${checkpoints} blocks: it must be a whole number from 1 on, "block" or "all"`,
  );
}

/** A part of the forward, and what it was made of. */
interface Recorded {
  readonly result: Value;
  readonly operations: readonly RecordedOperation[];
}
