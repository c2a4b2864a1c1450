/**
 * The gradient of a loss as a graph: a forward that keeps the inputs of blocks, and a walk backwards that computes blocks again and goes
 * through their operations by their adjoints.
 *
 * @module
 */

import type { BatchShape, Graph, OffsetSet, Range, Storage, Value } from "../kernels/mod.ts";
import {
  type Gradients,
  type Operand,
  operationsOf,
  recordAdjoints,
  type RecordedOperation,
} from "../kernels/device/operation.ts";
import { prune } from "../kernels/device/prune.ts";
import { addSlopes } from "../kernels/operations/adjoints/adjoints.ts";
import { logitSlopes, lossSlopes } from "../kernels/operations/adjoints/loss_adjoint.ts";
import { architectureOf } from "./architectures.ts";
import {
  forwardContext,
  type ForwardModel,
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
  { checkpoints = "block" }: GradientOptions = {},
): void {
  const begun = graph.dispatches.length;
  const context = forwardContext(model, graph, shape, 1, batch, { offsets });
  const { config } = model;
  const { embed, block } = architectureOf(config);
  const each = blocksKept(checkpoints, config.layers);
  // A recorder of its own each: what one has made of a value, such as its columns in order, must be computed again with the blocks.
  const recorded = (record: (x: Recorder) => Value): Recorded => {
    const first = operationsOf(graph).length;
    const result = record(recorderOf(model, context));
    return { result, operations: operationsOf(graph).slice(first) };
  };
  const blocks = (first: number, input: Value) =>
    recorded((x) => {
      let hidden = input;
      const end = Math.min(first + each, config.layers);
      for (let layer = first; layer < end; layer++) hidden = block(x, config, hidden, layer);
      return hidden;
    });
  const embedded = recorded((x) => embed(x, config));
  const parts: { readonly first: number; readonly input: Value; readonly made: Recorded }[] = [];
  let last = embedded.result;
  for (let first = 0; first < config.layers; first += each) {
    const made = blocks(first, last);
    parts.push({ first, input: last, made });
    last = made.result;
  }
  const pieces = lossPieces(model, shape, 1);
  const heads = new Map<number, Recorded>();
  const head = (piece: LossPiece) => recorded((x) => recordHead(model, x, context, last, piece));
  recordLossOf(model, context, shape, target, (piece) => {
    const made = head(piece);
    // Logits of several pieces are not held at once.
    if (pieces.length === 1) heads.set(piece.first, made);
    return made.result;
  });
  const back = ({ result, operations }: Recorded, slope: Value) => {
    const slopes = new Map<Operand, Value>([[result, slope]]);
    recordAdjoints(graph, operations, slopes, gradients, addSlopes);
    return slopes;
  };
  const weights = lossSlopes(context, target.scores, shape.lossRows);
  let slope: Value | undefined;
  for (const piece of pieces) {
    const made = heads.get(piece.first) ?? head(piece);
    const seed = logitSlopes(context, made.result, weights, config.vocabulary, piece);
    const found = back(made, seed).get(last)!;
    slope = slope ? addSlopes(graph, slope, found) : found;
  }
  parts.toReversed().forEach(({ first, input, made }, i) => {
    // What the last blocks left is still there.
    slope = back(i === 0 ? made : blocks(first, input), slope!).get(input)!;
  });
  back(each >= config.layers ? embedded : recorded((x) => embed(x, config)), slope!);
  // Such as the last product of a block that is computed again, and slopes by what nothing is trained of.
  prune(graph, begun);
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
