/**
 * The gradient of a loss as a graph: a forward that keeps the input of each block, and a walk backwards that computes one block again at a
 * time and goes through its operations by their adjoints.
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
import { addSlopes } from "../kernels/operations/adjoints/adjoints.ts";
import { logitSlopes, lossSlopes } from "../kernels/operations/adjoints/loss_adjoint.ts";
import { architectureOf } from "./architectures.ts";
import {
  forwardContext,
  type ForwardModel,
  lossPieces,
  type LossTarget,
  recorderOf,
  recordHead,
  recordLossOf,
} from "./forward.ts";
import type { Recorder } from "./recorder.ts";

/**
 * Records an evaluation of one branch, without noise, and the slopes of its loss by all offsets, added to `gradients`. No two invocations add
 * to the same number, so that the same bits come out on every run.
 *
 * @throws {TypeError} For an operation, or what is trained of it, that has no adjoint
 */
export function recordGradient(
  graph: Graph,
  model: ForwardModel,
  shape: BatchShape,
  batch: Storage | Range,
  target: LossTarget,
  offsets: OffsetSet,
  gradients: Gradients,
): void {
  const context = forwardContext(model, graph, shape, 1, batch, { offsets });
  const { config } = model;
  const { embed, block } = architectureOf(config);
  // A recorder of its own each: what one has made of a value, such as its columns in order, must be computed again with the block.
  const recorded = (record: (x: Recorder) => Value): Recorded => {
    const first = operationsOf(graph).length;
    const result = record(recorderOf(model, context));
    return { result, operations: operationsOf(graph).slice(first) };
  };
  const inputs: Value[] = [];
  let hidden = recorded((x) => embed(x, config)).result;
  for (let layer = 0; layer < config.layers; layer++) {
    inputs.push(hidden);
    hidden = recorded((x) => block(x, config, hidden, layer)).result;
  }
  const last = hidden;
  recordLossOf(model, recorderOf(model, context), context, last, shape, target);
  const back = ({ result, operations }: Recorded, slope: Value) => {
    const slopes = new Map<Operand, Value>([[result, slope]]);
    recordAdjoints(graph, operations, slopes, gradients, addSlopes);
    return slopes;
  };
  const weights = lossSlopes(context, target.scores, shape.lossRows);
  let slope: Value | undefined;
  for (const piece of lossPieces(model, shape, 1)) {
    const head = recorded((x) => recordHead(model, x, context, last, piece));
    const seed = logitSlopes(context, head.result, weights, config.vocabulary, piece);
    const found = back(head, seed).get(last)!;
    slope = slope ? addSlopes(graph, slope, found) : found;
  }
  for (let layer = config.layers - 1; layer >= 0; layer--) {
    const input = inputs[layer];
    slope = back(recorded((x) => block(x, config, input, layer)), slope!).get(input)!;
  }
  back(recorded((x) => embed(x, config)), slope!);
}

/** A part of the forward, and what it was made of. */
interface Recorded {
  readonly result: Value;
  readonly operations: readonly RecordedOperation[];
}
